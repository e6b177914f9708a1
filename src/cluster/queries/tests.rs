use super::*;

/// One part of a node's answer.
type Part = ((usize, usize), Vec<ClientId>);

fn ids(count: usize) -> Vec<ClientId> {
    (0..count).map(|_| ClientId::random()).collect()
}

fn nodes<const N: usize>() -> [Uuid; N] {
    [(); N].map(|()| Uuid::new_v4())
}

/// Returns numbers below a bound, the same in each run.
fn random() -> impl FnMut(usize) -> usize {
    let mut state = 7_u64;
    move |below| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 33) as usize % below
    }
}

/// Lets a node answer, and returns the clients and the nodes that are missing.
async fn answers(queries: &Queries, node: Uuid, parts: &[Part]) -> (Vec<ClientId>, Vec<Uuid>) {
    let query = queries.begin(&[node]);
    for (place, clients) in parts {
        // The reason is told by the result, too.
        let _ = queries.answered(query.id(), node, *place, clients.clone());
    }
    let answers = query.answers().await;
    let state = queries.0.lock();
    assert!(state.open.is_empty() && state.kept == 0, "{state:?}");
    answers
}

#[tokio::test(start_paused = true)]
async fn nodes_that_do_not_answer_in_time_are_named() {
    let queries = Queries::default();
    let ([a, b], ann) = (nodes(), ids(1));
    let query = queries.begin(&[a, b]);
    queries.answered(query.id(), a, (0, 1), ann.clone()).unwrap();
    queries.answered(query.id(), a, (0, 1), ids(1)).unwrap();
    queries.answered(query.id() + 1, b, (0, 1), ids(1)).unwrap();
    assert_eq!(query.answers().await, (ann, vec![b]));
    assert!(queries.0.lock().open.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_node_that_is_gone_is_not_waited_for() {
    let (queries, [a, b]) = (Queries::default(), nodes());
    let query = queries.begin(&[a, b]);
    queries.answered(query.id(), a, (0, 1), Vec::new()).unwrap();
    queries.answered(query.id(), b, (0, 2), ids(3)).unwrap();
    queries.forget(b);
    let begun = tokio::time::Instant::now();
    assert_eq!(query.answers().await, (Vec::new(), Vec::new()));
    assert_eq!(begun.elapsed(), Duration::ZERO);
    drop(queries.begin(&[a]));
    let state = queries.0.lock();
    assert!(state.open.is_empty(), "a query that is dropped is given up");
    assert_eq!(state.kept, 0);
}

#[tokio::test(start_paused = true)]
async fn parts_make_an_answer_in_any_order_if_each_came_once() {
    let (queries, mut random) = (Queries::default(), random());
    let (mut complete, mut incomplete) = (0, 0);
    for _ in 0..2_000 {
        let ([node, other], of) = (nodes(), 1 + random(6));
        let parts: Vec<Part> = (0..of).map(|part| ((part, of), ids(1 + random(3)))).collect();
        let mut sent = parts.clone();
        for index in (1..sent.len()).rev() {
            sent.swap(index, random(index + 1));
        }
        // A fault: none, a part that is missing, comes twice, is beyond the last one, or has another number of parts.
        let fault = random(5);
        // Not the last one: an answer that is complete does not change any more.
        let at = random(sent.len().max(2) - 1);
        match fault {
            1 => drop(sent.remove(at)),
            2 if of > 1 => sent.insert(random(at + 1), sent[at].clone()),
            3 => sent[at].0.0 = of + random(3),
            4 if of > 1 => sent[at].0.1 += [1, usize::MAX - of][random(2)],
            _ => {}
        }
        let is_faulty = sent.len() != of || sent.iter().any(|part| !parts.contains(part));
        // Parts of others make no difference.
        let next = queries.0.lock().last + 1;
        let _ = queries.answered(next, other, (0, of), ids(1));
        let (mut found, missing) = answers(&queries, node, &sent).await;
        let mut expected: Vec<_> = parts.into_iter().flat_map(|(_, clients)| clients).collect();
        match is_faulty {
            true => {
                incomplete += 1;
                assert_eq!((found, missing), (Vec::new(), vec![node]), "{sent:?}");
            }
            false => {
                complete += 1;
                found.sort();
                expected.sort();
                assert_eq!((found, missing), (expected, Vec::new()), "{sent:?}");
            }
        }
    }
    assert!(complete > 400 && incomplete > 400, "{complete}, {incomplete}");
}

#[tokio::test(start_paused = true)]
async fn a_node_whose_parts_contradict_each_other_is_missing_at_once() {
    let queries = Queries::default();
    let many = usize::MAX;
    for parts in [
        vec![((0, 0), ids(1))],
        vec![((many, many), ids(1))],
        vec![((0, 2), Vec::new())],
        vec![((0, 2), ids(1)), ((1, 3), ids(1))],
        vec![((0, 2), ids(1)), ((0, 1), ids(1))],
        vec![((0, 2), ids(1)), ((0, 2), ids(1))],
        vec![((0, many), ids(1)), ((many - 1, many), ids(1)), ((1, 2), ids(1))],
    ] {
        let ([node], begun) = (nodes(), tokio::time::Instant::now());
        let answers = answers(&queries, node, &parts).await;
        assert_eq!(answers, (Vec::new(), vec![node]), "{parts:?}");
        assert_eq!(begun.elapsed(), Duration::ZERO);
    }
}

#[tokio::test(start_paused = true)]
async fn parts_of_nodes_that_were_not_asked_are_ignored() {
    let (queries, [a, b], ann) = (Queries::default(), nodes(), ids(1));
    let query = queries.begin(&[a]);
    queries.answered(query.id(), a, (0, 2), ann.clone()).unwrap();
    for place in [(0, 2), (1, 2), (9, 3)] {
        queries.answered(query.id(), b, place, ids(1)).unwrap();
    }
    queries.answered(query.id(), a, (1, 2), ann.clone()).unwrap();
    assert_eq!(query.answers().await, ([&*ann, &*ann].concat(), Vec::new()));
}

#[tokio::test(start_paused = true)]
async fn an_answer_has_a_limit_and_so_have_all_at_the_same_time() {
    let (queries, [a, b, c]) = (Queries::default(), nodes());
    let query = queries.begin(&[a, b, c]);
    let answered = |node, part, count| queries.answered(query.id(), node, (part, 3), ids(count));
    answered(a, 0, MAX_CLIENTS).unwrap();
    assert_eq!(answered(a, 1, 1), Err(Unusable::TooLarge));
    assert_eq!(queries.0.lock().kept, 0);
    answered(b, 0, MAX_CLIENTS).unwrap();
    answered(c, 0, MAX_KEPT - MAX_CLIENTS).unwrap();
    let other = queries.begin(&[a]);
    let refused = queries.answered(other.id(), a, (0, 1), ids(1));
    assert_eq!(refused, Err(Unusable::TooLarge));
    assert_eq!(other.answers().await, (Vec::new(), vec![a]));
    let (clients, mut missing) = query.answers().await;
    missing.sort();
    let mut all = vec![a, b, c];
    all.sort();
    assert_eq!((clients, missing), (Vec::new(), all));
    assert_eq!(queries.0.lock().kept, 0);
}
