//! The board on a screen of the test's own.

use super::*;
use ratatui::Terminal;
use ratatui::backend::TestBackend;

fn reading(quantity: &str, scope: &str, value: f64, unit: &str) -> Reading {
    let of = |text: &str| text.to_owned();
    Reading { quantity: of(quantity), scope: of(scope), source: of("test"), value, unit: of(unit) }
}

/// A GB10 that becomes slow: clock and power fall, the reasons say why.
fn board() -> Board {
    let refused = Channel::refused("rapl", Some("energy"), None, "permission denied: as root: chmod a+r …");
    let mut board = Board::new(&Header { sensors: vec![refused], ..Header::default() });
    for second in 0..30_u32 {
        let slow = second >= 20;
        let value = |fast, late| if slow { late } else { fast };
        board.take(&Sample {
            t_ns: u64::from(second) * 1_000_000_000,
            readings: vec![
                reading("load", "cpu", 0.5, "1"),
                reading("temperature", "acpitz 0", value(64.0, 89.0), "degC"),
                reading("clock", "gpu 0", value(2.41e9, 0.8e9), "Hz"),
                reading("power", "gpu 0", value(92.5, 19.5), "W"),
                reading("energy", "package-0", f64::from(second) * 50.0, "J"),
                reading("throttle_reasons", "gpu 0", value(0.0, 36.0), "1"),
            ],
            ..Sample::default()
        });
    }
    board
}

fn screen(board: &Board, width: u16, height: u16, first: usize) -> String {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| draw(frame, board, "spark-bench monitor", first, false)).unwrap();
    let buffer = terminal.backend().buffer();
    let line = |y| (0..width).map(|x| buffer[(x, y)].symbol()).collect::<String>().trim_end().to_owned();
    (0..height).map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn what_matters_stands_first_and_an_alarm_is_told_without_colour() {
    let screen = screen(&board(), 120, 14, 0);
    let lines: Vec<&str> = screen.lines().collect();
    assert!(lines[0].starts_with("spark-bench monitor") && lines[0].contains("q quits"), "{screen}");
    assert!(lines[2].starts_with("power ") && lines[2].contains("19.5 W"), "{screen}");
    assert!(lines[2].contains("19.5 W … 92.5 W") && lines[2].contains('█') && lines[2].ends_with('▁'), "{screen}");
    assert!(screen.contains("power from energy") && screen.contains("50.0 W"), "{screen}");
    let throttle = lines.iter().find(|l| l.contains("throttle_reasons")).unwrap();
    assert!(
        throttle.starts_with("! ") && throttle.contains("0x24") && throttle.contains("power cap, heat (software)"),
        "{screen}"
    );
    assert!(screen.contains("refused: rapl energy: permission denied"), "{screen}");
}

#[test]
fn a_small_screen_shows_what_fits_and_scrolls() {
    for (width, height) in [(20, 4), (1, 1), (300, 60)] {
        let _ = screen(&board(), width, height, 0);
    }
    let all = screen(&board(), 120, 14, 0);
    let scrolled = screen(&board(), 120, 14, 3);
    assert!(all.lines().any(|l| l.starts_with("power ")) && !scrolled.lines().any(|l| l.starts_with("power ")));
    assert!(screen(&board(), 120, 14, 999).contains("load"), "the last row stays");
    assert!(screen(&Board::default(), 80, 10, 0).contains("quantity"));
}

#[test]
fn counters_alarm_while_they_grow_and_values_are_told_with_their_units() {
    let mut row = Row { quantity: "throttle_events".into(), ..Row::default() };
    row.values.extend([5.0; 20]);
    assert!(!row.alarming());
    row.values.push_back(6.0);
    assert!(row.alarming());
    row.values.extend([6.0; 10]);
    assert!(!row.alarming(), "it grew long ago");
    assert_eq!(["Hz", "B", "1", "degC", "W"].map(|u| told(0.5, u)), ["0.500 Hz", "0.500 B", "50 %", "0 °C", "0.500 W"]);
    assert_eq!(spark(&VecDeque::from([1.0, 2.0, 3.0]), 2), "▁█");
    assert_eq!((spark(&VecDeque::from([1.0; 3]), 9), spark(&VecDeque::new(), 3)), ("▁▁▁".into(), String::new()));
}

#[test]
fn a_counter_that_goes_back_is_no_negative_power() {
    let mut board = Board::default();
    for (t, joules) in [(0, 100.0), (1, 150.0), (2, 10.0), (3, 70.0)] {
        let readings = vec![reading("energy", "gpu 0", joules, "J")];
        board.take(&Sample { t_ns: t * 1_000_000_000, readings, ..Sample::default() });
    }
    let rows = board.rows();
    assert_eq!(rows[0].values, [50.0, 60.0]);
}
