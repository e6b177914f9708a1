//! The actions of a run.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;
use zocket::{
    Close, Hub, Target,
    cluster::NatsHub,
    layers::{
        Action as HubAction, Effect,
        hub::{ConnectOptions, Full, Performed},
    },
};

use super::{
    model::{Answer, Client, Sent, said},
    run::Run,
    steps::{Action, ROOMS, To},
};

impl Run {
    /// Performs an action, unless what it concerns is not there.
    pub fn act(&mut self, action: &Action) {
        match action.clone() {
            Action::Connect { node } => self.connect(node % self.settings.nodes),
            Action::Join { client, room } => self.join(client, room),
            Action::Leave { client, room } => self.leave(client, room),
            Action::Send { .. } => self.send(action),
            Action::Pause { client, time } => {
                if let Some(index) = self.client(client) {
                    self.clients[index].pauses_until = Instant::now() + time;
                }
            }
            Action::End { client } => {
                if let Some(index) = self.client(client) {
                    self.end(index);
                }
            }
            Action::Move { client, node } => {
                if let Some(index) = self.client(client) {
                    self.end(index);
                    self.connect(node);
                }
            }
            Action::Manage {
                node,
                client,
                room,
                joins,
            } => self.manage(node, client, room, joins),
            Action::Disconnect { node, client } => {
                if let (Some(hub), Some(index)) = (self.hub(node), self.client(client)) {
                    let clients = self.clients[index].id.into();
                    let action = HubAction::Disconnect(Close::new(4000, "bye"));
                    // Too many notes may wait.
                    drop(hub.perform(None, Effect::Manage { clients, action }));
                }
            }
            Action::Ask { node, room } => {
                if let Some(hub) = self.hub(node) {
                    self.asked.push(tokio::spawn(async move {
                        let began = Instant::now();
                        hub.size(ROOMS[room]).await;
                        hub.clients(&Target::room(ROOMS[room])).await;
                        let took = began.elapsed();
                        assert!(took <= Duration::from_millis(2_010), "two queries took {took:?}");
                    }));
                }
            }
            Action::Flush { node } => {
                if let Some(hub) = self.hub(node) {
                    self.asked
                        .push(tokio::spawn(async move { drop(hub.flush().await) }));
                }
            }
            fault => self.fault(&fault),
        }
    }

    fn fault(&mut self, fault: &Action) {
        let conn = |place: usize| self.places[place].map(|node| self.nodes[node].conn);
        match *fault {
            Action::Cut { node, away } => {
                if let Some(conn) = conn(node) {
                    self.net.change(|servers| servers.cut(conn, away));
                }
            }
            Action::Silence { node, time, away } => {
                if let Some(conn) = conn(node) {
                    self.net.change(|servers| servers.silence(conn, time, away));
                }
            }
            Action::Stall { node, time } => {
                if let Some(conn) = conn(node) {
                    self.net.change(|servers| servers.stall(conn, time));
                }
            }
            Action::Hinder {
                node,
                drops,
                refusals,
            } => {
                if let Some(conn) = conn(node) {
                    self.net.change(|servers| servers.hinder(conn, drops, refusals));
                }
            }
            Action::CutRoute { one, other, time } => {
                self.net.change(|servers| servers.cut_route(one, other, time));
            }
            Action::RestartServer { server, away } => self.net.change(|servers| {
                for conn in 0..servers.links.len() {
                    if servers.links[conn].server == server && !servers.links[conn].is_dead {
                        servers.cut(conn, away);
                    }
                }
            }),
            Action::Restart { node, dies, away } => self.restart(node, dies, away),
            ref other => panic!("{other:?} is no fault"),
        }
    }

    /// Returns the index of one of the clients that are there.
    fn client(&self, among: usize) -> Option<usize> {
        let here: Vec<_> = (0..self.clients.len())
            .filter(|index| !self.clients[*index].is_over)
            .collect();
        (!here.is_empty()).then(|| here[among % here.len()])
    }

    fn hub(&self, place: usize) -> Option<Arc<NatsHub>> {
        self.places[place].and_then(|node| self.nodes[node].hub.clone())
    }

    /// Connects a client, if the node is there.
    fn connect(&mut self, place: usize) {
        let (Some(node), Some(hub)) = (self.places[place], self.hub(place)) else {
            return;
        };
        let id = hub.new_client_id();
        let mailbox = hub.connect(id, &ConnectOptions::default());
        self.clients.push(Client::new(id, node, mailbox));
    }

    fn join(&mut self, client: usize, room: usize) {
        let Some(index) = self.client(client) else { return };
        let client = &mut self.clients[index];
        if client.stay(room).is_some() {
            return;
        }
        let hub = self.nodes[client.node].hub.as_ref().unwrap();
        let (mut known, is_alone) = (hub.other_nodes(), !hub.is_connected());
        if is_alone {
            known.clear();
        }
        let performed = hub
            .perform(Some(&client.id), Effect::Join(ROOMS[room].into()))
            .unwrap();
        let (answer, hub) = (client.begin_stay(room, Instant::now()), Arc::downgrade(hub));
        let has_waited = matches!(performed, Performed::Pending(_));
        let answered = move || {
            let still = hub.upgrade().map_or_else(Vec::new, |hub| hub.other_nodes());
            known.retain(|node| still.contains(node));
            let at = Instant::now();
            *answer.lock().unwrap() = Some(Answer {
                at,
                known,
                has_waited,
            });
        };
        match performed {
            Performed::Pending(ticket) => drop(tokio::spawn(async move {
                ticket.await.unwrap();
                answered();
            })),
            _ => answered(),
        }
    }

    fn leave(&mut self, client: usize, room: usize) {
        let Some(index) = self.client(client) else { return };
        let client = &mut self.clients[index];
        let hub = self.nodes[client.node].hub.as_ref().unwrap();
        let (now, id) = (Instant::now(), client.id);
        if let Some(stay) = client.stay(room) {
            hub.perform(Some(&id), Effect::Leave(ROOMS[room].into())).unwrap();
            (stay.leaves, stay.left) = (Some(now), Some(now));
        }
    }

    fn manage(&mut self, place: usize, client: usize, room: usize, joins: bool) {
        let (Some(hub), Some(index)) = (self.hub(place), self.client(client)) else {
            return;
        };
        let (client, now) = (&mut self.clients[index], Instant::now());
        client.managed.push((room, joins, now));
        if let Some(stay) = client.stay(room).filter(|_| !joins) {
            stay.leaves = Some(now);
        }
        let action = match joins {
            true => HubAction::Join(ROOMS[room].into()),
            false => HubAction::Leave(ROOMS[room].into()),
        };
        let clients = client.id.into();
        // Too many notes may wait.
        drop(hub.perform(None, Effect::Manage { clients, action }));
    }

    fn send(&mut self, action: &Action) {
        let Action::Send {
            client,
            ref to,
            except,
            except_room,
            times,
            bytes,
        } = *action
        else {
            return;
        };
        let Some(from) = self.client(client) else { return };
        let id_of = |among: usize| self.client(among).map(|index| self.clients[index].id);
        let (mut target, rooms, clients) = match to {
            To::Rooms(rooms) => {
                let names = rooms.iter().map(|room| ROOMS[*room]);
                (Target::rooms(names), rooms.clone(), Vec::new())
            }
            To::Clients(clients) => {
                let ids: Vec<_> = clients.iter().filter_map(|among| id_of(*among)).collect();
                (Target::clients(ids.clone()), Vec::new(), ids)
            }
            To::Everyone => (Target::everyone(), Vec::new(), Vec::new()),
        };
        let except = except.and_then(id_of);
        if let Some(except) = except {
            target = target.except([except]);
        }
        if let Some(room) = except_room {
            target = target.except_rooms([ROOMS[room]]);
        }
        let (node, id) = (self.clients[from].node, self.clients[from].id);
        let hub = self.nodes[node].hub.clone().unwrap();
        for _ in 0..times {
            let number = self.sent.len();
            let event = said(number, bytes);
            let to = target.clone();
            let performed = hub.perform(Some(&id), Effect::Emit { to, event });
            let is_refused = match performed {
                Ok(_) => false,
                Err(Full::Engine { .. } | Full::EventSize { .. }) => true,
                Err(other) => panic!("a send was refused: {other:?}"),
            };
            self.sent.push(Sent {
                node,
                at: Instant::now(),
                rooms: rooms.clone(),
                is_to_everyone: matches!(to_of(action), To::Everyone),
                clients: clients.clone(),
                except,
                except_room,
                is_refused,
            });
            if !is_refused {
                self.owe(number);
            }
        }
    }

    /// Notes the members of the sender's node that an event must have reached at once.
    fn owe(&mut self, number: usize) {
        let sent = &self.sent[number];
        let hub = self.nodes[sent.node].hub.as_ref().unwrap();
        for client in &mut self.clients {
            let is_in = |room: &usize| hub.has(&client.id, ROOMS[*room]);
            let is_to =
                sent.is_to_everyone || sent.clients.contains(&client.id) || sent.rooms.iter().any(is_in);
            let is_excepted = sent.except == Some(client.id) || sent.except_room.as_ref().is_some_and(is_in);
            if !client.is_over && client.node == sent.node && is_to && !is_excepted {
                client.due.push(number);
            }
        }
    }

    fn restart(&mut self, place: usize, dies: bool, away: Duration) {
        let Some(node) = self.places[place].take() else {
            return;
        };
        for client in self.clients.iter_mut().filter(|client| client.node == node) {
            client.is_over = true;
        }
        if dies {
            let conn = self.nodes[node].conn;
            self.net.change(|servers| servers.kill(conn));
        }
        self.nodes[node].hub = None;
        self.nodes[node].ended = Some(Instant::now());
        self.start(place, away);
    }
}

fn to_of(action: &Action) -> &To {
    match action {
        Action::Send { to, .. } => to,
        other => panic!("{other:?} sends nothing"),
    }
}
