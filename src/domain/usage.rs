//! What agents used: tokens and money, of one attempt and of many together.
//!
//! Promise: nothing unknown is counted as nothing. A price that was not told is
//! `None` in a [`Usage`], and a sum over it says how many prices it lacks.

/// What one attempt used, as its own program counts it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Tokens read that no cache held, those written to a cache among them.
    pub input: u64,
    /// Tokens written, thinking among them.
    pub output: u64,
    /// Tokens read from a cache.
    pub cached: u64,
    /// Millionths of a dollar; `None` when nobody told the price.
    pub cost_micro: Option<u64>,
}

impl Usage {
    /// Both together: what a program tells step by step. A step without a price
    /// leaves the sum without one, unless it used nothing.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        let cost_micro = match (self.cost_micro, other.cost_micro) {
            (Some(one), Some(two)) => Some(one.saturating_add(two)),
            (None, cost) if self.is_nothing() => cost,
            (cost, None) if other.is_nothing() => cost,
            (None, _) | (_, None) => None,
        };
        Self {
            input: self.input.saturating_add(other.input),
            output: self.output.saturating_add(other.output),
            cached: self.cached.saturating_add(other.cached),
            cost_micro,
        }
    }

    /// What is left when this much was counted before.
    #[must_use]
    pub fn less(self, before: Self) -> Self {
        let cost_micro = match (self.cost_micro, before.cost_micro) {
            (Some(all), Some(before)) => Some(all.saturating_sub(before)),
            (cost, _) => cost,
        };
        Self {
            input: self.input.saturating_sub(before.input),
            output: self.output.saturating_sub(before.output),
            cached: self.cached.saturating_sub(before.cached),
            cost_micro,
        }
    }

    /// Whether no token was counted.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        self.input == 0 && self.output == 0 && self.cached == 0
    }

    /// The same with this price in dollars. None is told by a price that is no
    /// number, and by one of nothing for tokens that were used: programs write
    /// 0 for a model that their price list doesn't have.
    #[must_use]
    pub fn priced(self, dollars: Option<f64>) -> Self {
        let told = dollars.filter(|cost| cost.is_finite() && *cost >= 0.0 && *cost < 1e9);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "between 0 and 10^15 by the filter"
        )]
        let micro = told.map(|cost| (cost * 1e6).round() as u64);
        Self { cost_micro: micro.filter(|cost| *cost > 0 || self.is_nothing()), ..self }
    }
}

/// What several attempts used together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spent {
    /// The sum of what is known; its price is of those attempts that told one.
    pub usage: Usage,
    /// How many attempts told no price.
    pub unpriced: u32,
}

impl Spent {
    /// The sum over ended attempts; `None` is one that told nothing at all.
    #[must_use]
    pub fn of(all: impl IntoIterator<Item = Option<Usage>>) -> Self {
        let mut spent = Self::default();
        for one in all {
            let cost = one.and_then(|usage| usage.cost_micro);
            spent.unpriced += u32::from(cost.is_none());
            let Some(usage) = one else { continue };
            let priced = spent.usage.cost_micro;
            spent.usage = spent.usage.plus(usage);
            spent.usage.cost_micro = match (priced, cost) {
                (None, cost) => cost,
                (Some(sum), cost) => Some(sum.saturating_add(cost.unwrap_or_default())),
            };
        }
        spent
    }

    /// Whether anything at all was told.
    #[must_use]
    pub fn is_known(&self) -> bool {
        !self.usage.is_nothing() || self.usage.cost_micro.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn used(input: u64, cost_micro: Option<u64>) -> Usage {
        Usage { input, output: 1, cached: 0, cost_micro }
    }

    #[test]
    fn an_unknown_price_is_never_nothing() {
        assert_eq!(used(5, Some(2)).plus(used(5, Some(3))).cost_micro, Some(5));
        assert_eq!(used(5, Some(2)).plus(used(5, None)).cost_micro, None);
        assert_eq!(Usage::default().plus(used(5, Some(3))).cost_micro, Some(3));
        assert_eq!(used(5, Some(3)).plus(Usage::default()).cost_micro, Some(3));
        let spent = Spent::of([Some(used(5, Some(2))), None, Some(used(5, None))]);
        assert_eq!((spent.usage.cost_micro, spent.unpriced), (Some(2), 2));
        assert_eq!(spent.usage.input, 10);
        let spent = Spent::of([Some(used(5, None)), Some(used(5, Some(2)))]);
        assert_eq!((spent.usage.cost_micro, spent.unpriced), (Some(2), 1));
        assert!(!Spent::of([None]).is_known());
    }

    #[test]
    fn dollars_become_millionths() {
        let cost = |dollars| used(1, None).priced(dollars).cost_micro;
        assert_eq!(cost(Some(0.012_345_6)), Some(12_346));
        for none in [None, Some(0.0), Some(-1.0), Some(f64::NAN), Some(1e300)] {
            assert_eq!(cost(none), None, "{none:?}");
        }
        assert_eq!(Usage::default().priced(Some(0.0)).cost_micro, Some(0));
    }

    #[test]
    fn no_sum_overflows() {
        let most = Usage { input: u64::MAX, ..used(0, Some(u64::MAX)) };
        assert_eq!(most.plus(most), Usage { output: 2, ..most });
        assert_eq!(Spent::of([Some(most), Some(most)]).usage.input, u64::MAX);
        assert_eq!(used(5, None).less(used(7, Some(1))), Usage::default());
    }
}
