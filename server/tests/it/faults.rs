//! What must hold when processes end at the worst moment, and when servers are asked the same thing at the same time: whatever was answered
//! was so for good. Those about PostgreSQL's own end are in `replicas`.

use crate::actors::at_once;
use crate::crowd::{Crowd, people, tally, until};
use crate::process::{Caller, Installation};
use crate::{Backend, tests};

tests![
    a_kill_under_load_loses_nothing_that_was_answered,
    a_code_sent_to_two_servers_at_once_becomes_one_token_each_time,
];

fn a_kill_under_load_loses_nothing_that_was_answered(on: Backend) {
    let installation = Installation::new(on);
    let server = installation.serve();
    let crowd = Crowd::enrol(&installation, people());
    let url = server.url.clone();
    let (sent, ()) = crowd.log_in(&[&url], |exchanged| {
        until(exchanged, people() / 2);
        server.kill();
    });
    assert!(sent.iter().any(|sent| sent.status.is_none()), "it ended too late: {}", tally(&sent));
    let server = installation.serve();
    let remembered = crowd.must_be_remembered(&server, &sent);
    assert!(remembered >= people() / 2);
    assert_eq!(installation.json(&["audit", "verify"])["intact"], true);
    println!("killed under load: {}; all {remembered} remembered", tally(&sent));
}

fn a_code_sent_to_two_servers_at_once_becomes_one_token_each_time(on: Backend) {
    let installation = Installation::new(on);
    let servers = [installation.serve(), installation.serve()];
    let crowd = Crowd::enrol(&installation, people());
    let callers = [&servers[0], &servers[1]].map(|server| Caller::new(&server.url));
    let (mut tokens, mut first) = (0, 0);
    // Few at a time, since a code is good for half a minute.
    for offset in [0, 1] {
        for number in 0..people() {
            let (user, code) = crowd.code(number, offset);
            let replies = at_once(2, |place| callers[place].otp(&crowd.client, user, &code).unwrap());
            let statuses = [replies[0].0, replies[1].0];
            assert!(statuses == [200, 400] || statuses == [400, 200], "{user}: {replies:?}");
            tokens += 1;
            first += usize::from(statuses[0] == 200);
        }
    }
    println!("two servers, one code: {tokens} times one token, {first} of them by the first server");
}
