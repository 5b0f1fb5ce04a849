//! The intervals of the shells in histories: far shorter than in production, so that a short history has many of each
//! event.

use ctr_domain::shell::ShellSettings;

use crate::dice::Dice;

/// Everything in quick succession.
pub(crate) fn quick(dice: &mut Dice) -> ShellSettings {
    ShellSettings {
        checkpoint_interval: dice.pick(&[0, 0, 300]),
        checkpoint_timeout: 2_000,
        checkpoint_min_pause: dice.pick(&[0, 0, 50]),
        fire_interval: 0,
        rows_per_firing: dice.pick(&[1, 2, 5, 1_000]),
        ask_interval: dice.pick(&[0, 200]),
        ask_timeout: 3_000,
        retry_delay: 100,
        letter_retry: dice.pick(&[0, 200]),
        max_waiting_bytes: dice.pick(&[300, 1_000_000]),
    }
}
