//! Loom's primitives, with the methods of those that they stand in for.
//!
//! Loom switches threads at its own primitives only. So none of these may be held by one thread while another waits for
//! it in the operating system: each lock is loom's.

use std::{
    borrow::Borrow,
    future::poll_fn,
    hash::Hash,
    ops::{Deref, DerefMut},
    sync,
    task::{Poll, Waker},
};

use indexmap::{Equivalent, IndexMap, map};
use loom::{
    future,
    sync::{MutexGuard, atomic, atomic::Ordering},
};

/// The standard library's flag. A store is an exchange: beside an exchange, loom has a plain store take effect before what
/// that has read, which no machine does (tokio-rs/loom#254).
#[derive(Debug, Default)]
pub(crate) struct AtomicBool(atomic::AtomicBool);

impl AtomicBool {
    pub(crate) fn new(value: bool) -> Self {
        Self(atomic::AtomicBool::new(value))
    }

    pub(crate) fn load(&self, order: Ordering) -> bool {
        self.0.load(order)
    }

    pub(crate) fn store(&self, value: bool, order: Ordering) {
        self.0.swap(value, order);
    }

    pub(crate) fn swap(&self, value: bool, order: Ordering) -> bool {
        self.0.swap(value, order)
    }
}

/// `parking_lot`'s mutex: it knows no poison.
#[derive(Debug, Default)]
pub(crate) struct Mutex<T>(loom::sync::Mutex<T>);

impl<T> Mutex<T> {
    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap()
    }
}

/// `futures_util`'s waker.
#[derive(Debug, Default)]
#[allow(
    unnameable_types,
    reason = "only in the model tests does a public method name it"
)]
pub struct AtomicWaker(future::AtomicWaker);

impl AtomicWaker {
    pub(crate) fn register(&self, waker: &Waker) {
        self.0.register_by_ref(waker);
    }

    pub(crate) fn wake(&self) {
        self.0.wake();
    }
}

/// The standard library's cell. A reader to whom no other primitive has made the value visible may find it empty.
#[derive(Debug)]
pub(crate) struct OnceLock<T> {
    value: sync::OnceLock<T>,
    is_set: AtomicBool,
    setting: Mutex<()>,
}

impl<T> OnceLock<T> {
    pub(crate) fn get(&self) -> Option<&T> {
        self.is_set
            .load(Ordering::Acquire)
            .then(|| self.value.get())
            .flatten()
    }

    pub(crate) fn set(&self, value: T) -> Result<(), T> {
        let _setting = self.setting.lock();
        self.value.set(value)?;
        self.is_set.store(true, Ordering::Release);
        Ok(())
    }

    pub(crate) fn get_or_init(&self, init: impl FnOnce() -> T) -> &T {
        let _setting = self.setting.lock();
        if self.value.get().is_none() {
            let _ = self.value.set(init());
            self.is_set.store(true, Ordering::Release);
        }
        self.value.get().unwrap()
    }

    pub(crate) fn take(&mut self) -> Option<T> {
        self.value.take()
    }
}

impl<T> Default for OnceLock<T> {
    fn default() -> Self {
        Self {
            value: sync::OnceLock::new(),
            is_set: AtomicBool::new(false),
            setting: Mutex::default(),
        }
    }
}

/// Tokio's notification, for one waiter.
#[derive(Debug, Default)]
pub(crate) struct Notify {
    permit: AtomicBool,
    waiter: AtomicWaker,
}

impl Notify {
    pub(crate) fn notify_one(&self) {
        self.permit.store(true, Ordering::Release);
        self.waiter.wake();
    }

    pub(crate) fn notified(&self) -> impl Future<Output = ()> + Send {
        poll_fn(|cx| {
            self.waiter.register(cx.waker());
            if self.permit.swap(false, Ordering::AcqRel) {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        })
    }
}

/// `dashmap`'s map, in one shard. It keeps the order of insertion: loom needs each run to be the same.
#[derive(Debug)]
pub(crate) struct DashMap<K, V>(Mutex<IndexMap<K, V>>);

impl<K: Eq + Hash, V> DashMap<K, V> {
    pub(crate) fn new() -> Self {
        Self(Mutex(loom::sync::Mutex::new(IndexMap::new())))
    }

    pub(crate) fn len(&self) -> usize {
        self.0.lock().len()
    }

    pub(crate) fn shrink_to_fit(&self) {
        self.0.lock().shrink_to_fit();
    }

    pub(crate) fn insert(&self, key: K, value: V) -> Option<V> {
        self.0.lock().insert(key, value)
    }

    pub(crate) fn get<Q: ?Sized + Hash + Equivalent<K>>(&self, key: &Q) -> Option<Held<'_, K, V>> {
        let map = self.0.lock();
        let index = map.get_index_of(key)?;
        Some(Held { map, index })
    }

    pub(crate) fn remove_if<Q: ?Sized + Hash + Eq>(
        &self,
        key: &Q,
        condition: impl FnOnce(&K, &V) -> bool,
    ) -> Option<(K, V)>
    where
        K: Borrow<Q>,
    {
        let mut map = self.0.lock();
        let (found, value) = map.get_key_value(key)?;
        condition(found, value).then(|| map.swap_remove_entry(key))?
    }

    pub(crate) fn entry(&self, key: K) -> MapEntry<'_, K, V> {
        let map = self.0.lock();
        match map.get_index_of(&key) {
            Some(index) => MapEntry::Occupied(Occupied(Held { map, index })),
            None => MapEntry::Vacant(Vacant { map, key }),
        }
    }

    /// The values as they are now.
    pub(crate) fn iter(&self) -> map::IntoValues<usize, V>
    where
        V: Clone,
    {
        let values = self
            .0
            .lock()
            .values()
            .cloned()
            .enumerate()
            .collect::<IndexMap<_, _>>();
        values.into_values()
    }
}

/// A value, while the map is locked.
pub(crate) struct Held<'a, K, V> {
    map: MutexGuard<'a, IndexMap<K, V>>,
    index: usize,
}

impl<K, V> Deref for Held<'_, K, V> {
    type Target = V;

    fn deref(&self) -> &V {
        &self.map[self.index]
    }
}

pub(crate) enum MapEntry<'a, K, V> {
    Occupied(Occupied<'a, K, V>),
    Vacant(Vacant<'a, K, V>),
}

pub(crate) struct Occupied<'a, K, V>(Held<'a, K, V>);

impl<'a, K, V> Occupied<'a, K, V> {
    pub(crate) fn into_ref(self) -> Held<'a, K, V> {
        self.0
    }
}

pub(crate) struct Vacant<'a, K, V> {
    map: MutexGuard<'a, IndexMap<K, V>>,
    key: K,
}

impl<'a, K: Eq + Hash, V> Vacant<'a, K, V> {
    pub(crate) fn insert(self, value: V) -> Held<'a, K, V> {
        let Self { mut map, key } = self;
        let (index, _) = map.deref_mut().insert_full(key, value);
        Held { map, index }
    }
}
