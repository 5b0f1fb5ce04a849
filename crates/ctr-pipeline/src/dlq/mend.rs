//! Runs the command that corrects records (`--mend`).

use std::io::Write as _;
use std::process::{Command, Stdio};

use ctr_domain::redriven::DeadLetterId;

/// Why a record was not corrected.
#[derive(Debug, thiserror::Error)]
pub(super) enum MendError {
    /// The command could not be run.
    #[error("could not run the --mend command: {0}")]
    Io(#[from] std::io::Error),
    /// The command rejected the record.
    #[error("the --mend command failed with {status}{}", if .words.is_empty() { String::new() } else { format!(": {}", .words) })]
    Refused { status: std::process::ExitStatus, words: String },
}

/// Runs `command` in a shell with a record's value on its standard input; its output is the corrected value, without the final
/// line feed.
pub(super) fn mend(command: &str, id: &DeadLetterId, payload: &[u8]) -> Result<Vec<u8>, MendError> {
    let mut child = Command::new("sh")
        .args(["-c", command])
        .env("CTR_LETTER", id.to_string())
        .env("CTR_CODE", &id.code)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let stdin = child.stdin.take();
    let output = std::thread::scope(|scope| {
        // Concurrent with reading, because a command may print before it has read everything. Not reading is not an error.
        scope.spawn(move || stdin.map(|mut stdin| stdin.write_all(payload)));
        child.wait_with_output()
    })?;
    if !output.status.success() {
        let words = String::from_utf8_lossy(&output.stderr).lines().next().unwrap_or_default().to_owned();
        return Err(MendError::Refused { status: output.status, words });
    }
    let mut mended = output.stdout;
    if mended.last() == Some(&b'\n') {
        mended.pop();
    }
    Ok(mended)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(command: &str, payload: &[u8]) -> Result<Vec<u8>, MendError> {
        mend(command, &"clicks/3/7/INVALID_JSON".parse().unwrap(), payload)
    }

    #[test]
    fn it_prints_what_the_record_should_have_been() {
        assert_eq!(run("sed s/tap/click/", b"{\"event_type\":\"tap\"}").unwrap(), b"{\"event_type\":\"click\"}");
        assert_eq!(run("echo $CTR_CODE of $CTR_LETTER", b"").unwrap(), b"INVALID_JSON of clicks/3/7/INVALID_JSON");
    }

    #[test]
    fn a_large_record_passes_through_and_an_unread_one_is_no_error() {
        let large = vec![b'x'; 1 << 20];
        assert_eq!(run("cat", &large).unwrap(), large);
        assert_eq!(run("echo y", &large).unwrap(), b"y");
    }

    #[test]
    fn a_command_that_fails_says_why() {
        let error = run("echo nothing to mend >&2; exit 3", b"{").unwrap_err().to_string();
        assert!(error.contains("3") && error.contains("nothing to mend"), "{error}");
        assert!(run("no-such-command-here", b"{").unwrap_err().to_string().contains("127"));
    }
}
