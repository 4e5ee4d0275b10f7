//! What the kernel knows of this process.

use std::time::Duration;

/// CPU time and voluntary context switches of all threads so far.
#[derive(Clone, Copy)]
pub struct Usage {
    pub cpu: Duration,
    pub voluntary_switches: u64,
}

impl Usage {
    pub fn now() -> Usage {
        // SAFETY: an all-zero rusage is valid, and getrusage only writes to it.
        let usage = unsafe {
            let mut usage: libc::rusage = std::mem::zeroed();
            libc::getrusage(libc::RUSAGE_SELF, &mut usage);
            usage
        };
        let span = |time: libc::timeval| {
            Duration::from_secs(time.tv_sec as u64) + Duration::from_micros(time.tv_usec as u64)
        };
        Usage {
            cpu: span(usage.ru_utime) + span(usage.ru_stime),
            voluntary_switches: usage.ru_nvcsw as u64,
        }
    }

    pub fn since(&self, earlier: &Usage) -> Usage {
        Usage {
            cpu: self.cpu - earlier.cpu,
            voluntary_switches: self.voluntary_switches - earlier.voluntary_switches,
        }
    }
}

/// Bytes of memory that are resident now.
pub fn resident_bytes() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").expect("/proc is mounted");
    let pages = statm
        .split(' ')
        .nth(1)
        .and_then(|field| field.parse::<u64>().ok());
    // SAFETY: sysconf has no preconditions.
    let page_size = unsafe { libc::sysconf(libc::_SC_PAGESIZE) } as u64;
    pages.expect("the second field of statm is a number") * page_size
}

/// Runs `measure` in a child process and gives its two figures. No thread may run yet.
pub fn in_child(measure: impl FnOnce() -> [f64; 2]) -> [f64; 2] {
    use std::io::{Read, Write};
    use std::os::unix::net::UnixStream;
    let (mut parent_end, mut child_end) = UnixStream::pair().expect("a socket pair can be had");
    // SAFETY: this process has one thread, so the child may go on as if nothing had happened.
    let child = unsafe { libc::fork() };
    if child == 0 {
        drop(parent_end);
        let figures = measure();
        for figure in figures {
            child_end
                .write_all(&figure.to_le_bytes())
                .expect("the parent reads");
        }
        std::process::exit(0);
    }
    drop(child_end);
    let figures = [0; 2].map(|_| {
        let mut bytes = [0; 8];
        if child < 0 || parent_end.read_exact(&mut bytes).is_err() {
            eprintln!("the child process ended without figures");
            std::process::exit(1);
        }
        f64::from_le_bytes(bytes)
    });
    // SAFETY: waitpid accepts a null status, and the child is ours.
    unsafe { libc::waitpid(child, std::ptr::null_mut(), 0) };
    figures
}
