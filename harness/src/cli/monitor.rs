//! `spark-bench monitor`: the sensors, live in the terminal, or once, or as lines for a program.

use super::{Verdict, stop, ui};
use crate::detect;
use crate::monitor::{self, Board};
use crate::os::SysRoot;
use crate::telemetry::{self, Sampler};
use anyhow::{Context, bail};
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEventKind, KeyModifiers};
use spark_results::telemetry::{Header, Line, Reading, Sample, Status};
use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::time::{Duration, Instant};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Print what every sensor says now, and end
    #[arg(long)]
    once: bool,
    /// As JSON: with --once one document, else a line a reading as in telemetry.jsonl, until Ctrl-C
    #[arg(long)]
    json: bool,
}

/// Long enough for two readings of every sensor that compares two.
const TWO_READINGS: Duration = Duration::from_millis(1200);
const FRAME: Duration = Duration::from_millis(250);

/// The sensors, read by a thread of their own: one that hangs holds up no key.
struct Watched {
    sampler: Sampler,
    start: Instant,
    seen_ns: Option<u64>,
}

impl Watched {
    fn start(root: &SysRoot) -> anyhow::Result<Self> {
        let start = Instant::now();
        let sampler = Sampler::start(Box::new(std::io::sink()), telemetry::sensors(root), start);
        Ok(Self { sampler: sampler.context("the sensors cannot be started")?, start, seen_ns: None })
    }
    fn header(&self) -> &Header {
        self.sampler.header()
    }
    /// What was read since the last call.
    fn fresh(&mut self) -> Vec<Sample> {
        let samples = self.sampler.between(self.seen_ns.map_or(0, |ns| ns + 1), u64::MAX);
        self.seen_ns = samples.last().map(|s| s.t_ns).or(self.seen_ns);
        samples
    }
}

pub(super) fn act(args: &Args) -> anyhow::Result<Verdict> {
    let root = SysRoot::from_env();
    if args.once {
        return once(Watched::start(&root)?, args.json);
    }
    if args.json {
        return lines(Watched::start(&root)?);
    }
    if !std::io::stdout().is_terminal() {
        bail!("standard output is no terminal; use --once for a table, or --json for a program");
    }
    let machine = detect::machine(&root);
    let name = machine.cpu.brand.as_deref().unwrap_or("an unnamed processor").to_owned();
    let mut watched = Watched::start(&root)?;
    let mut terminal = ratatui::try_init().context("the terminal cannot be drawn on")?;
    let ended = live(&mut terminal, &mut watched, &format!("spark-bench monitor: {name}"));
    ratatui::restore();
    ended.map(|()| Verdict::Fine)
}

/// Draws until somebody presses q.
fn live(terminal: &mut ratatui::DefaultTerminal, watched: &mut Watched, title: &str) -> anyhow::Result<()> {
    let mut board = Board::new(watched.header());
    let mut first = 0_usize;
    loop {
        watched.fresh().iter().for_each(|sample| board.take(sample));
        let title = format!("{title}, {} s", watched.start.elapsed().as_secs());
        terminal.draw(|frame| monitor::draw(frame, &board, &title, first, ui::coloured()))?;
        let until = Instant::now() + FRAME;
        while event::poll(until.saturating_duration_since(Instant::now()))? {
            let Event::Key(key) = event::read()? else { break };
            if key.kind == KeyEventKind::Release {
                continue;
            }
            match key.code {
                KeyCode::Char('q') | KeyCode::Esc => return Ok(()),
                KeyCode::Char('c') if key.modifiers.contains(KeyModifiers::CONTROL) => return Ok(()),
                KeyCode::Down => first = (first + 1).min(board.rows().len().saturating_sub(1)),
                KeyCode::Up => first = first.saturating_sub(1),
                _ => {}
            }
            break;
        }
    }
}

/// What every sensor says now.
fn once(mut watched: Watched, json: bool) -> anyhow::Result<Verdict> {
    std::thread::sleep(TWO_READINGS);
    let samples = watched.fresh();
    if json {
        let mut last: BTreeMap<(String, String, String), Reading> = BTreeMap::new();
        for reading in samples.into_iter().flat_map(|s| s.readings) {
            last.insert((reading.quantity.clone(), reading.scope.clone(), reading.source.clone()), reading);
        }
        let readings: Vec<Reading> = last.into_values().collect();
        let all = serde_json::json!({ "sensors": watched.header().sensors, "readings": readings });
        ui::line(serde_json::to_string_pretty(&all)?);
        return Ok(Verdict::Fine);
    }
    let mut board = Board::new(watched.header());
    samples.iter().for_each(|sample| board.take(sample));
    for row in board.rows() {
        let mark = if row.alarming() { "!" } else { " " };
        ui::line(format!("{mark} {:<18} {:<24} {:>14}  {}", row.quantity, row.scope, row.told(), row.source));
    }
    for c in watched.header().sensors.iter().filter(|c| c.status == Status::Refused) {
        let what = [Some(c.name.as_str()), c.scope.as_deref(), c.quantity.as_deref()];
        let what: Vec<_> = what.into_iter().flatten().collect();
        ui::line(format!("  refused: {}: {}", what.join(" "), c.reason.as_deref().unwrap_or("no reason given")));
    }
    Ok(Verdict::Fine)
}

/// Header and samples as telemetry.jsonl holds them, until Ctrl-C.
fn lines(mut watched: Watched) -> anyhow::Result<Verdict> {
    stop::listen().context("Ctrl-C cannot be listened for")?;
    let said = |line: &Line| anyhow::Ok(ui::heard(&format!("{}\n", serde_json::to_string(line)?)));
    let mut read = said(&Line::Header(watched.header().clone()))?;
    while read && !stop::asked() {
        std::thread::sleep(FRAME);
        for sample in watched.fresh() {
            read &= said(&Line::Sample(sample))?;
        }
    }
    Ok(Verdict::Fine)
}
