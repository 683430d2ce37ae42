//! The benchmark without the rest of Interline: direct and floor, for work on the bench itself.

use interline_bench::{Area, CHILD_COMMAND, Options, TargetKind, child, run};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let Some((CHILD_COMMAND, rest)) = arguments
        .split_first()
        .map(|(first, rest)| (first.as_str(), rest))
    {
        return Ok(child(rest)?);
    }
    let areas: Vec<Area> = arguments
        .iter()
        .filter_map(|name| Area::from_name(name))
        .collect();
    let mut options = Options {
        targets: vec![TargetKind::Direct, TargetKind::Floor],
        ..Options::quick()
    };
    if !areas.is_empty() {
        options.areas = areas;
    }
    if arguments.iter().any(|argument| argument == "full") {
        options.stream_levels = Options::default().stream_levels;
    }
    let report = run(&options, &mut |progress| {
        eprintln!("[{}/{}] {}", progress.done, progress.total, progress.step);
    })?;
    eprintln!("{}", report.table());
    if arguments.iter().any(|argument| argument == "json") {
        eprintln!("{}", report.json_lines());
    }
    Ok(())
}
