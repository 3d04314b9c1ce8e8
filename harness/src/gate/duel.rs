//! One benchmark, two builds in turn: measured block by block, looked at, with fresh processes for each block.
//!
//! Where the loader and the allocator put things makes two processes of one build differ by a percent or more, for as long as they
//! live. Blocks that share their processes share that difference, and the test, which takes each block's sign for a coin of its own,
//! would take it for the build's. So a block is a life.

use super::child::{Build, Child, Ran, Trouble};
use super::surroundings::Surroundings;
use crate::os::SysRoot;
use spark_gate::paired::{Block, LOOKS, Limits, Order, Rules, SHORTEST_S, Side, Standing, Void, block_s, standing};
use spark_results::Work;
use std::time::{Duration, Instant};

/// Quads a block, at least and at most: from six executions of each build on, as many as it has time for. The finer the builds take
/// turns, the less of what the machine does meanwhile is between them: of blocks of half a second of a GEMV beside busy neighbours, log
/// ratios lay 4.2 % apart with 3 quads and 1.2 % with 25.
const QUADS: (f64, f64) = (3.0, 32.0);
/// An execution is not cut shorter than this: a scheduler's turn.
const EXECUTION_S: f64 = 0.004;
/// A block is at least this part of what starting its processes took: shorter, the budget would go into starting.
const OF_START: f64 = 0.5;
/// A child that died so often is broken.
const DEATHS: usize = 3;
/// A benchmark with more than this share of its blocks voided says nothing.
const VOIDED: f64 = 0.20;

/// What a duel is fought by.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// What is asked of the blocks.
    pub rules: Rules,
    /// Seconds it may take.
    pub budget_s: f64,
    /// Of the order.
    pub seed: u64,
}

/// What came of it.
#[derive(Clone, Debug, Default)]
pub struct Fought {
    /// How it stands.
    pub standing: Option<Standing>,
    /// Log ratios of the blocks.
    pub differences: Vec<f64>,
    /// The same in cycles of the device's own clock, as far as both builds tell them.
    pub cycle_differences: Vec<f64>,
    /// Why it could not be judged, if so: which build and how.
    pub trouble: Option<(Side, Trouble)>,
    /// Seconds a block.
    pub block_s: f64,
    /// Why its blocks say nothing, if so.
    pub void: Option<String>,
    /// How it was measured.
    pub notes: Vec<String>,
    /// What an iteration of each build does, the baseline's first, where the build counts it.
    pub work: [Option<Work>; 2],
}

/// Two builds over one benchmark.
#[derive(Debug)]
pub struct Duel<'a> {
    id: &'a str,
    builds: [&'a Build; 2],
    children: Option<[Child; 2]>,
    order: Order,
    around: Surroundings,
    iterations: u64,
    quads: usize,
    /// What the last start of both took.
    started: Duration,
    lives: usize,
    deaths: [usize; 2],
    voided: Vec<Void>,
    work: [Option<Work>; 2],
}

type Failed = (Side, Trouble);

impl<'a> Duel<'a> {
    /// Of `baseline` and `candidate` over `id`, in the order that `seed` names.
    pub fn new(id: &'a str, baseline: &'a Build, candidate: &'a Build, seed: u64, root: &SysRoot) -> Self {
        Self {
            id,
            builds: [baseline, candidate],
            children: None,
            order: Order::new(seed),
            around: Surroundings::start(root),
            iterations: 1,
            quads: 0,
            started: Duration::ZERO,
            lives: 0,
            deaths: [0; 2],
            voided: Vec::new(),
            work: [None, None],
        }
    }

    /// Measures until the looks are done, the budget is spent, or `stop` says so.
    pub fn fight(mut self, plan: &Plan, stop: &dyn Fn() -> bool) -> Fought {
        let began = Instant::now();
        let mut fought = Fought::default();
        let over = |began: Instant| stop() || began.elapsed().as_secs_f64() >= plan.budget_s;
        let block_s = match self.length(plan.budget_s) {
            Ok(block_s) => block_s,
            Err(failed) => return Fought { trouble: Some(failed), ..fought },
        };
        loop {
            let standing = standing(&fought.differences, &plan.rules);
            fought.standing = Some(standing);
            // What is already clear waits for a quieter machine while there is time: the choice rests on states, never on timings.
            let next = standing.next.or_else(|| self.after_voids(fought.differences.len()));
            let Some(next) = next else { break };
            if let Err(failed) = self.blocks(next, &mut fought, &|| over(began)) {
                fought.trouble = Some(failed);
                break;
            }
            if fought.differences.len() < next {
                fought.notes.push(format!("{:.0} s were up after {} blocks", plan.budget_s, fought.differences.len()));
                break;
            }
        }
        self.tell(&mut fought, block_s, plan.seed);
        fought
    }

    /// Fresh blocks for a confirmation, of the length given.
    pub fn again(mut self, blocks: usize, block_s: f64, stop: &dyn Fn() -> bool) -> Fought {
        let mut fought = Fought::default();
        let measured = self.calibrate(block_s).and_then(|()| self.blocks(blocks, &mut fought, stop));
        fought.trouble = measured.err();
        self.tell(&mut fought, block_s, 0);
        fought
    }

    /// Whether too many of `counted + voided` blocks were left out for the rest to be believed.
    fn unquiet(&self, counted: usize) -> bool {
        self.voided.len() as f64 > VOIDED * (counted + self.voided.len()) as f64
    }

    /// The look behind `counted` blocks, where so many were left out that this one cannot be the last.
    fn after_voids(&self, counted: usize) -> Option<usize> {
        LOOKS.into_iter().find(|look| *look > counted).filter(|_| self.unquiet(counted))
    }

    fn tell(&self, fought: &mut Fought, block_s: f64, seed: u64) {
        fought.block_s = block_s;
        fought.work.clone_from(&self.work);
        let counted = fought.differences.len();
        if self.unquiet(counted) {
            let (voided, all) = (self.voided.len(), counted + self.voided.len());
            fought.void = Some(format!("{voided} of {all} blocks were left out: {}", Void::counted(&self.voided)));
        }
        let mut words = format!(
            "blocks of {:.0} ms, {} quads each, {} iterations an execution, {} starts of each build",
            1e3 * block_s,
            self.quads,
            self.iterations,
            self.lives
        );
        if seed != 0 {
            words += &format!(", order seed {seed}");
        }
        fought.notes.push(words);
        if !self.voided.is_empty() && fought.void.is_none() {
            fought.notes.push(format!("{} blocks measured again: {}", self.voided.len(), Void::counted(&self.voided)));
        }
    }

    /// Both builds ready with the benchmark prepared and run once.
    fn ready(&mut self) -> Result<&mut [Child; 2], Failed> {
        if self.children.is_none() {
            let begun = Instant::now();
            let pair = started(self.builds, self.id, self.iterations)?;
            self.started = begun.elapsed();
            self.lives += 1;
            return Ok(self.children.insert(pair));
        }
        match &mut self.children {
            Some(children) => Ok(children),
            None => Err((Side::Baseline, Trouble::Lost("no child is there".to_owned()))),
        }
    }

    /// As many quads as a block has time for, and as many iterations as an execution then needs to be its share of it.
    fn calibrate(&mut self, block_s: f64) -> Result<(), Failed> {
        let each = loop {
            match self.tried() {
                Ok(each) => break each,
                Err(failed) => self.lost(failed)?,
            }
        };
        let each_s = 1e-9 * spark_results::stats::median(&each).max(1.0);
        let quads = (block_s / (4.0 * each_s.max(EXECUTION_S))).floor().clamp(QUADS.0, QUADS.1);
        self.quads = quads as usize;
        self.iterations = (block_s / (4.0 * quads * each_s)).ceil().clamp(1.0, 1e9) as u64;
        Ok(())
    }

    /// Nanoseconds of an iteration, twice of each build.
    fn tried(&mut self) -> Result<Vec<f64>, Failed> {
        let (id, now) = (self.id, self.iterations);
        let children = self.ready()?;
        let mut each = Vec::new();
        for (side, child) in [Side::Baseline, Side::Candidate].into_iter().zip(children) {
            for _ in 0..2 {
                each.push(child.run(id, now).map_err(|t| (side, t))?.each_ns);
            }
        }
        Ok(each)
    }

    /// A child that died or fell silent costs what it was doing. Errors: it did so too often; it is no such trouble.
    fn lost(&mut self, (side, trouble): Failed) -> Result<(), Failed> {
        let Trouble::Lost(how) = &trouble else { return Err((side, trouble)) };
        self.children = None;
        let deaths = &mut self.deaths[usize::from(side == Side::Candidate)];
        *deaths += 1;
        if *deaths >= DEATHS {
            return Err((side, trouble));
        }
        self.voided.push(Void::Lost(how.clone()));
        Ok(())
    }

    /// Seconds of a block, as long as the budget allows once it is known how long both take to start.
    fn length(&mut self, budget_s: f64) -> Result<f64, Failed> {
        self.calibrate(SHORTEST_S)?;
        let start_s = self.started.as_secs_f64();
        let length_s = block_s(budget_s, LOOKS[LOOKS.len() - 1], start_s).max(OF_START * start_s);
        // Twice: the first guess rests on a single iteration.
        self.calibrate(length_s)?;
        Ok(length_s)
    }

    /// Measures blocks, each of processes of its own, until `fought` holds `wanted`, or it is over.
    fn blocks(&mut self, wanted: usize, fought: &mut Fought, over: &dyn Fn() -> bool) -> Result<(), Failed> {
        while fought.differences.len() < wanted && !over() {
            self.children = None;
            match self.block() {
                Ok(block) => match self.around.since().void(&Limits::default()) {
                    Some(void) => self.voided.push(void),
                    None => {
                        fought.differences.push(block.log_ratio());
                        fought.cycle_differences.extend(block.log_ratio_of_cycles());
                    }
                },
                Err(failed) => self.lost(failed)?,
            }
        }
        Ok(())
    }

    fn block(&mut self) -> Result<Block, Failed> {
        let (id, iterations) = (self.id, self.iterations);
        let mut block = Block::default();
        self.ready()?;
        self.around.begin();
        for _ in 0..self.quads {
            for side in self.order.quad() {
                let Some(children) = &mut self.children else {
                    return Err((side, Trouble::Lost("no child is there".to_owned())));
                };
                let child = &mut children[usize::from(side == Side::Candidate)];
                let Ran { each_ns, clocks_hz, each_cycles, work, .. } =
                    child.run(id, iterations).map_err(|t| (side, t))?;
                block.push(side, each_ns);
                if let Some(cycles) = each_cycles {
                    block.push_cycles(side, cycles);
                }
                self.around.hear(&clocks_hz);
                self.work[usize::from(side == Side::Candidate)] = work;
            }
        }
        Ok(block)
    }
}

/// Both builds with `id` prepared and run once. They prepare at the same time: what does so second gets the memory that the first left,
/// and was seen to be 0.7 % faster by that.
fn started(builds: [&Build; 2], id: &str, iterations: u64) -> Result<[Child; 2], Failed> {
    // A child dies with the thread that started it.
    let mut baseline = Child::start(builds[0]).map_err(|t| (Side::Baseline, t.by_now()))?;
    let mut candidate = Child::start(builds[1]).map_err(|t| (Side::Candidate, t.by_now()))?;
    std::thread::scope(|scope| {
        let other = scope.spawn(|| candidate.run(id, iterations).map_err(|t| (Side::Candidate, t)));
        let one = baseline.run(id, iterations).map_err(|t| (Side::Baseline, t));
        let other = other.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        one.and(other)
    })?;
    Ok([baseline, candidate])
}
