use super::Effect;

/// Observer of the effects of one message, called for each one that the hub accepts.
pub(crate) trait EffectObserver: Send + Sync {
    /// Observes one effect. It must not block.
    fn observe(&self, effect: &Effect);
}
