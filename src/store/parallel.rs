//! The same work for many, on a few threads: a listing of a thousand runs is
//! two thousand small files.

use std::num::NonZero;
use std::thread;

/// More threads than this gain nothing at small files.
const MOST: usize = 4;

/// Less work than this is done before a thread has begun.
const SHARE: usize = 64;

/// The results, in the order of `all`.
pub(super) fn map<T: Sync, R: Send>(all: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    let threads = (all.len() / SHARE).clamp(1, cores.min(MOST));
    if threads == 1 {
        return all.iter().map(work).collect();
    }
    let (mine, rest) = all.split_at(all.len() / threads);
    let work = &work;
    thread::scope(|scope| {
        let others: Vec<_> = rest
            .chunks(rest.len().div_ceil(threads - 1))
            .map(|part| scope.spawn(move || part.iter().map(work).collect::<Vec<R>>()))
            .collect();
        let mut results: Vec<R> = mine.iter().map(work).collect();
        for other in others {
            results.extend(other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        }
        results
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_result_comes_once_and_in_order() {
        for count in [0, 1, 63, 64, 127, 128, 129, 1000] {
            let all: Vec<usize> = (0..count).collect();
            let expected: Vec<usize> = all.iter().map(|n| n * 3).collect();
            assert_eq!(map(&all, |n| n * 3), expected);
        }
    }
}
