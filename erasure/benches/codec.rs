//! How fast the codec is, beside `memcpy` in the same run.
//!
//! `cargo bench -p asterism-erasure` prints GB of content per second of one core, the medians of interleaved rounds.
//! *Hot* works on one stripe again and again, *cold* goes round stripes that no cache holds. With `-- --kernels` it
//! compares the kernels of this CPU instead.

use std::{
    hint::black_box,
    io::{self, Write},
    time::{Duration, Instant},
};

use asterism_erasure::{CellIdentity, Code, Kernel, cell_checksum, cell_stride};

const SHAPES: [(usize, usize); 4] = [(4, 2), (8, 4), (10, 4), (16, 4)];
const CELL_BYTES: [usize; 3] = [64 << 10, 256 << 10, 1 << 20];
/// Far more than the last-level cache of today's machines gives to one core.
const COLD_BYTES: usize = 192 << 20;
const ROUNDS: usize = 7;
const ROUND_TIME: Duration = Duration::from_millis(40);

fn main() -> io::Result<()> {
    let mut out = io::stdout().lock();
    if std::env::args().any(|argument| argument == "--kernels") {
        return compare_kernels(&mut out);
    }
    writeln!(out, "kernel {}; GB/s of content on one core, hot / cold\n", Kernel::best())?;
    writeln!(
        out,
        "{:>6} {:>9} {:>15} {:>15} {:>15} {:>15}",
        "code", "cell", "memcpy", "encode", "rebuild m", "update 1"
    )?;
    for (data, parity) in SHAPES {
        let code = Code::new(data, parity).map_err(io::Error::other)?;
        for cell_bytes in CELL_BYTES {
            write!(out, "{:>6} {:>5} KiB", code.policy().to_string(), cell_bytes >> 10)?;
            let hot = measure(&code, cell_bytes, 1, &Work::ALL);
            let cold = measure(&code, cell_bytes, cold_stripes(&code, cell_bytes), &Work::ALL);
            for (hot, cold) in hot.iter().zip(&cold) {
                write!(out, " {hot:>7.1} /{cold:>6.1}")?;
            }
            writeln!(out)?;
            out.flush()?;
        }
    }
    writeln!(
        out,
        "\nchecksum of a 256 KiB cell: {:.1} / {:.1}",
        checksums(1),
        checksums(COLD_BYTES / (256 << 10))
    )
}

fn compare_kernels(out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "GB/s of content on one core, cells of 64 KiB, hot: encode / rebuild m\n")?;
    for kernel in Kernel::available() {
        write!(out, "{:>12}", kernel.to_string())?;
        for (data, parity) in SHAPES {
            let code = Code::with_kernel(data, parity, kernel).map_err(io::Error::other)?;
            let speeds = measure(&code, 64 << 10, 1, &[Work::Encode, Work::Reconstruct]);
            write!(out, "  {}: {:>6.1} /{:>6.1}", code.policy(), speeds[0], speeds[1])?;
        }
        writeln!(out)?;
        out.flush()?;
    }
    Ok(())
}

#[derive(Clone, Copy)]
enum Work {
    Copy,
    Encode,
    Reconstruct,
    Update,
}

impl Work {
    const ALL: [Self; 4] = [Self::Copy, Self::Encode, Self::Reconstruct, Self::Update];

    /// Does the work once on a stripe and returns the bytes of content it went over.
    fn run(self, code: &Code, stripe: &mut Stripe) -> usize {
        let (data, parity) = (code.policy().data(), code.policy().parity());
        let mut cells = stripe.cells();
        let content = data * cells[0].len();
        match self {
            Self::Copy => {
                let (from, to) = cells.split_at_mut(data / 2);
                from.iter().zip(to).for_each(|(from, to)| to.copy_from_slice(black_box(from)));
                return content / 2;
            }
            Self::Encode => {
                let (inputs, outputs) = cells.split_at_mut(data);
                let inputs: Vec<&[u8]> = inputs.iter().map(|cell| &**cell).collect();
                code.encode(&inputs, outputs).expect("the stripe has the code's shape");
            }
            Self::Reconstruct => {
                let lost = parity.min(data);
                let (wanted, present) = cells.split_at_mut(lost);
                let present = present.iter().map(|cell| Some(&**cell));
                let shards: Vec<Option<&[u8]>> = (0..lost).map(|_| None).chain(present).collect();
                let mut wanted: Vec<_> = wanted.iter_mut().map(|cell| &mut **cell).enumerate().collect();
                code.reconstruct(&shards, &mut wanted).expect("as many are lost as the code bears");
            }
            Self::Update => {
                let (inputs, outputs) = cells.split_at_mut(data);
                code.update(0, inputs[0], inputs[1], outputs).expect("the stripe has the code's shape");
                return inputs[0].len();
            }
        }
        content
    }
}

/// A stripe's memory, with the cells at the distance that a caller should keep.
struct Stripe {
    memory: Vec<u8>,
    cell_bytes: usize,
}

impl Stripe {
    fn new(cells: usize, cell_bytes: usize, seed: u8) -> Self {
        let memory =
            (0..cells * cell_stride(cell_bytes)).map(|at| (at as u8).wrapping_mul(31) ^ seed).collect();
        Self { memory, cell_bytes }
    }

    fn cells(&mut self) -> Vec<&mut [u8]> {
        let cells = self.memory.chunks_exact_mut(cell_stride(self.cell_bytes));
        cells.map(|cell| &mut cell[..self.cell_bytes]).collect()
    }
}

fn cold_stripes(code: &Code, cell_bytes: usize) -> usize {
    COLD_BYTES / (code.policy().total() * cell_bytes)
}

/// Medians of rounds that take turns, so that a disturbance hits all works alike.
fn measure(code: &Code, cell_bytes: usize, stripes: usize, works: &[Work]) -> Vec<f64> {
    let total = code.policy().total();
    let mut stripes: Vec<Stripe> =
        (0..stripes).map(|seed| Stripe::new(total, cell_bytes, seed as u8)).collect();
    let mut speeds = vec![Vec::new(); works.len()];
    for _ in 0..ROUNDS {
        for (work, speeds) in works.iter().zip(&mut speeds) {
            speeds.push(round(stripes.len(), |stripe| work.run(code, &mut stripes[stripe])));
        }
    }
    speeds.into_iter().map(median).collect()
}

fn checksums(cells: usize) -> f64 {
    let identity = CellIdentity { cluster: [1; 16], extent: [2; 16], slot: 3, data: 4, parity: 2 };
    let cells: Vec<Vec<u8>> = (0..cells).map(|seed| vec![seed as u8; 256 << 10]).collect();
    let work = |cell: usize| {
        black_box(cell_checksum(&identity, cell as u32, &cells[cell]));
        cells[cell].len()
    };
    median((0..ROUNDS).map(|_| round(cells.len(), work)).collect())
}

/// GB per second of `work`, called with 0, 1 … `stripes - 1` in turn.
fn round(stripes: usize, mut work: impl FnMut(usize) -> usize) -> f64 {
    let (began, cpu_began) = (Instant::now(), cpu_time());
    let mut bytes = 0;
    let mut turn = 0;
    while began.elapsed() < ROUND_TIME {
        bytes += black_box(work(turn % stripes));
        turn += 1;
    }
    let took = match (cpu_began, cpu_time()) {
        (Some(began), Some(ended)) => ended - began,
        _ => began.elapsed(),
    };
    bytes as f64 / took.as_secs_f64() / 1e9
}

/// What this thread has had of a CPU, where the system tells: other processes then don't count against the codec.
fn cpu_time() -> Option<Duration> {
    // Giving way brings the kernel's count up to date; without that it lags by a scheduler tick.
    std::thread::yield_now();
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    text.split_whitespace().next()?.parse().map(Duration::from_nanos).ok()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
