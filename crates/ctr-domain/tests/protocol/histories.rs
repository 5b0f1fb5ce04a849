//! The claims.

use ctr_domain::task::Task;

use crate::model::Model;
use crate::runs::all_hold;
use crate::world::Kind;

#[test]
fn every_table_and_every_letter_is_what_the_log_says() {
    all_hold::<Task>(Kind::Exact, "every_table_and_every_letter_is_what_the_log_says");
}

#[test]
fn what_is_closed_early_is_in_the_table_or_in_the_letters() {
    all_hold::<Task>(Kind::Early, "what_is_closed_early_is_in_the_table_or_in_the_letters");
}

#[test]
fn with_one_owner_table_and_closed_early_letters_add_up() {
    all_hold::<Task>(Kind::CalmEarly, "with_one_owner_table_and_closed_early_letters_add_up");
}

#[test]
fn cut_logs_new_topics_and_reset_offsets_come_to_what_the_crash_table_says() {
    all_hold::<Task>(Kind::Disaster, "cut_logs_new_topics_and_reset_offsets_come_to_what_the_crash_table_says");
}

#[test]
fn the_model_holds_too_so_its_mutations_mean_something() {
    all_hold::<Model>(Kind::Exact, "the_model_holds_too_so_its_mutations_mean_something");
}
