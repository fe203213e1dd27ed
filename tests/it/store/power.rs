//! Power cuts: a file system in a file of ours that is shut down under writers.

use std::os::fd::AsRawFd;
use std::path::Path;
use std::process::Child;
use std::time::{Duration, SystemTime};

use super::child::Orders;
use super::fixture::{Mount, asked, git};
use super::heal::reboot;
use super::race::check_at;

/// `EXT4_IOC_SHUTDOWN`: nothing is written any more, as after a power cut.
fn cut_power(mount: &Path, flags: u32) {
    const SHUTDOWN: u64 = 0x8004_587d;
    let root = std::fs::File::open(mount).unwrap();
    #[expect(unsafe_code, reason = "there is no safe name for this ioctl")]
    // SAFETY: the file is open and the ioctl reads one u32 behind the pointer.
    let answer = unsafe { nix::libc::ioctl(root.as_raw_fd(), SHUTDOWN as _, &raw const flags) };
    assert_eq!(answer, 0, "{}", std::io::Error::last_os_error());
}

/// The point of an append at which one writer stands still when the power goes:
/// at every second cut, with and without the journal flushed. A build without
/// failpoints has the clock only.
fn inside(cut: u64) -> Option<String> {
    const STEPS: [&str; 8] = [
        "swap.locked",
        "object.written",
        "swap.written",
        "object.placed",
        "swap.renamed",
        "recent.recorded",
        "object.fill",
        "swap.synced",
    ];
    let step = STEPS[usize::try_from(cut / 4 % 8).unwrap()];
    (cfg!(feature = "failpoints") && cut % 4 < 2).then(|| format!("{step}@{}:stop", 2 + cut / 4))
}

/// Waits until a writer has stopped itself.
fn stopped(child: &Child) {
    let stat = format!("/proc/{}/stat", child.id());
    let deadline = std::time::Instant::now() + Duration::from_secs(30);
    loop {
        let text = std::fs::read_to_string(&stat).unwrap();
        if text.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('T')) {
            return;
        }
        assert!(std::time::Instant::now() < deadline, "the writer does not stop: {text}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// The file system, its writers, and what they noted outside it.
struct Machine {
    place: tempfile::TempDir,
    began: SystemTime,
    writers: Vec<Orders>,
}

impl Machine {
    /// `None` where there is no such file system.
    fn new() -> Option<Self> {
        let place = tempfile::tempdir().unwrap();
        let image = place.path().join("disk");
        std::fs::File::create(&image).unwrap().set_len(160 << 20).unwrap();
        let made = std::process::Command::new("mkfs.ext4").arg("-q").arg(&image).output();
        if !made.is_ok_and(|made| made.status.success()) {
            println!("skipped: no mkfs.ext4");
            return None;
        }
        Some(Self { place, began: SystemTime::now(), writers: Vec::new() })
    }

    fn mount(&self) -> Option<Mount> {
        Mount::new(&["-o", "loop,commit=300", self.place.path().join("disk").to_str()?])
    }

    fn acks(&self, name: &str) -> std::path::PathBuf {
        self.place.path().join(format!("acks-{name}"))
    }

    /// Two writers on a chain of this cut, one on a chain of all cuts, until the
    /// power goes. Answers how many were cut off inside an append, and whether
    /// one of them stood at a step of it.
    fn cut(&mut self, cut: u64) -> Option<(usize, bool)> {
        let mount = self.mount()?;
        let repo = mount.path().join("repo");
        if cut == 0 {
            std::fs::create_dir(&repo).unwrap();
            git(&repo, &["init", "-q"]);
            nix::unistd::sync();
        }
        let standing = inside(cut);
        let orders = |n: u64| {
            let run = if n < 2 { format!("aaaa-{cut}") } else { "bbbb-own".into() };
            let fail = standing.clone().filter(|_| n == 2).unwrap_or_default();
            let orders = Orders::new(&repo, &format!("h{cut}-{n}"), &run);
            let acks = self.acks(&format!("{cut}-{n}"));
            Orders { acks, fail, events: 100_000, seconds: 20, ..orders }
        };
        let now: Vec<Orders> = (0..3).map(orders).collect();
        let mut children: Vec<_> = now.iter().map(Orders::spawn).collect();
        match &standing {
            Some(_) => stopped(&children[2]),
            None => std::thread::sleep(Duration::from_millis(150)),
        }
        std::thread::sleep(Duration::from_millis(cut * 37 % 400));
        cut_power(mount.path(), 1 + u32::try_from(cut % 2).unwrap());
        if standing.is_some() {
            children[2].kill().unwrap();
        }
        let ends: Vec<_> = children.into_iter().map(|child| child.wait_with_output()).collect();
        // A writer that wrote before and failed now was at an append.
        let at_work = |(orders, end): &(&Orders, std::io::Result<std::process::Output>)| {
            !orders.acked().is_empty() && !end.as_ref().unwrap().status.success()
        };
        let caught = now.iter().zip(ends).filter(at_work).count();
        self.writers.extend(now);
        Some((caught, standing.is_some()))
    }

    /// The machine starts again, and somebody goes on.
    fn start(&mut self, cut: u64) -> Option<()> {
        let mount = self.mount()?;
        let repo = mount.path().join("repo");
        for orders in &mut self.writers {
            orders.repo.clone_from(&repo);
        }
        if repo.join(".git/crew/boot").exists() {
            reboot(&repo.join(".git"), self.began);
        }
        let orders = Orders::new(&repo, &format!("h{cut}-a"), "bbbb-own");
        let after = Orders { acks: self.acks(&format!("{cut}-after")), events: 2, ..orders };
        let end = after.spawn().wait_with_output().unwrap();
        self.writers.push(after);
        let recent: Vec<Orders> = self.writers.iter().rev().take(8).cloned().collect();
        check_at(&repo, &recent);
        let errors = String::from_utf8_lossy(&end.stderr);
        assert!(end.status.success(), "the writer after the cut failed: {errors}");
        Some(())
    }
}

/// `CREW_CUTS` cuts, or these few, spread over the appends, with and without the
/// journal flushed first; after each the machine "starts again".
#[test]
fn a_power_cut_takes_nothing_acknowledged() {
    let Some(mut machine) = Machine::new() else { return };
    let cuts = asked("CREW_CUTS", 20);
    let (mut caught, mut standing) = (0, 0);
    for cut in 0..cuts {
        let Some((writers, stood)) = machine.cut(cut) else { return };
        caught += writers;
        standing += u64::from(stood);
        let Some(()) = machine.start(cut) else { return };
    }
    let Some(mount) = machine.mount() else { return };
    machine.writers.iter_mut().for_each(|orders| orders.repo = mount.path().join("repo"));
    let acked = check_at(&mount.path().join("repo"), &machine.writers);
    println!(
        "{acked} acknowledged over {cuts} cuts, {caught} writers cut off inside an append, \
         one standing at a step of it at {standing} cuts"
    );
    assert!(caught as u64 >= cuts, "too few cuts were inside an append: {caught}");
}
