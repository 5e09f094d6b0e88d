//! The command line of spanmill.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use spanmill_collector::command::{check, demo, explain, load, mask, replay, run, scan};

/// Knows within seconds which external provider is slow, failing or hanging.
#[derive(Debug, Parser)]
#[command(name = "spanmill", version, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Run(run::Run),
    Demo(demo::Demo),
    Check(check::Check),
    Explain(explain::Explain),
    Load(load::Load),
    Mask(mask::Mask),
    Scan(scan::Scan),
    Replay(replay::Replay),
}

/// `EX_USAGE` of sysexits.h: what the operator wrote can't be used.
const USAGE: u8 = 64;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            drop(error.print());
            return ExitCode::from(if error.use_stderr() { USAGE } else { 0 });
        }
    };
    log_to_stderr();
    let ended = match cli.command {
        Command::Run(run) => run.run().map_err(|error| match error {
            run::Error::Config(error) => (USAGE, error.to_string()),
            other => (1, other.to_string()),
        }),
        Command::Demo(demo) => demo.run().map_err(|error| match error {
            demo::Error::Config(error) => (USAGE, error.to_string()),
            other => (1, other.to_string()),
        }),
        Command::Check(check) => match check.run() {
            Ok(effective) => {
                print!("{effective}");
                Ok(())
            }
            Err(error) => Err((USAGE, error.to_string())),
        },
        Command::Explain(explain) => match explain.run() {
            Ok(explanation) => {
                print!("{explanation}");
                Ok(())
            }
            Err(error) => Err((USAGE, error.to_string())),
        },
        Command::Mask(mask) => mask.run().map_err(|error| match error {
            mask::Error::Io(error) => (1, error.to_string()),
            other => (USAGE, other.to_string()),
        }),
        Command::Scan(scan) => {
            return match scan.run() {
                Ok(found) => ExitCode::from(u8::from(found)),
                Err(error) => {
                    eprintln!("spanmill: {error}");
                    ExitCode::from(USAGE)
                }
            };
        }
        Command::Replay(replay) => replay.run().map_err(|error| match error {
            replay::Error::Config(error) => (USAGE, error.to_string()),
            other => (1, other.to_string()),
        }),
        Command::Load(load) => load.run().map_err(|error| (1, error.to_string())),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err((status, message)) => {
            eprintln!("spanmill: {message}");
            ExitCode::from(status)
        }
    }
}

/// One line per event on standard error; `RUST_LOG` chooses, `info` by default.
fn log_to_stderr() {
    use tracing_subscriber::EnvFilter;
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let terminal = std::io::IsTerminal::is_terminal(&std::io::stderr());
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(terminal)
        .with_target(false)
        .init();
}
