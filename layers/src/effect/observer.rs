use super::Effect;

/// Sees the effects of one message that the hub has taken.
pub(crate) trait EffectObserver: Send + Sync {
    /// Sees one effect. It must not wait.
    fn observe(&self, effect: &Effect);
}
