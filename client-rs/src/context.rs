//! Which span the running code belongs to: per thread for plain code, per poll for futures, and handed on
//! explicitly where neither reaches.

use std::cell::RefCell;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};

use crate::id::{SpanId, TraceId};
use crate::provider::Name;

/// Entries and bytes of baggage, as the W3C specification asks everybody to carry at least.
pub(crate) const BAGGAGE_MAX: usize = 64;
pub(crate) const BAGGAGE_BYTES_MAX: usize = 8192;

thread_local! {
    static CURRENT: RefCell<Option<Current>> = const { RefCell::new(None) };
}

/// A span as others refer to it: its ids, and the open [`Call`](crate::Call) around it, if any.
///
/// Cheap to clone and free to cross threads. What starts while it is current becomes its child.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Context {
    pub(crate) trace_id: TraceId,
    pub(crate) span_id: SpanId,
    /// The flags of the W3C `traceparent`; bit 0 says that the trace is sampled.
    pub(crate) flags: u8,
    /// True when it came in over the network.
    pub(crate) remote: bool,
    /// The provider of the call that is open here: a CLIENT span below is an attempt of that call.
    pub(crate) call: Option<Name>,
    /// What else travels with the trace; most traces have nothing.
    pub(crate) carried: Option<Arc<Carried>>,
}

/// What travels with a trace beside its ids.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Carried {
    pub(crate) tracestate: String,
    /// Keys and values as they are, not encoded.
    pub(crate) baggage: Vec<(String, String)>,
}

impl Context {
    /// The context of the first span of a trace.
    pub(crate) fn root(trace_id: TraceId, span_id: SpanId) -> Context {
        Context { trace_id, span_id, flags: 1, remote: false, call: None, carried: None }
    }

    /// The W3C `tracestate` that came with the trace, if any.
    pub fn tracestate(&self) -> Option<&str> {
        self.carried.as_deref().map(|carried| carried.tracestate.as_str()).filter(|state| !state.is_empty())
    }

    /// A value of the W3C `baggage` that travels with the trace.
    pub fn baggage(&self, key: &str) -> Option<&str> {
        let carried = self.carried.as_deref()?;
        carried.baggage.iter().find(|(known, _)| known == key).map(|(_, value)| value.as_str())
    }

    /// This context with a baggage entry that travels on with it. It goes to every service downstream: nothing secret
    /// belongs there. Beyond 64 entries or 8 KiB nothing is added.
    pub fn with_baggage(mut self, key: &str, value: &str) -> Context {
        let mut carried = self.carried.as_deref().cloned().unwrap_or_default();
        carried.baggage.retain(|(known, _)| known != key);
        let bytes: usize = carried.baggage.iter().map(|(key, value)| key.len() + value.len()).sum();
        if carried.baggage.len() < BAGGAGE_MAX && bytes + key.len() + value.len() <= BAGGAGE_BYTES_MAX {
            carried.baggage.push((key.to_string(), value.to_string()));
        }
        self.carried = Some(Arc::new(carried));
        self
    }

    /// The context of the running code: what [`enter`](Context::enter) or [`InSpan::in_span`] made current.
    pub fn current() -> Option<Context> {
        let own = CURRENT.try_with(|current| current.borrow().clone()).ok().flatten();
        #[cfg(feature = "otel")]
        let own = crate::otel::innermost(own);
        own.map(|own| own.context)
    }

    /// The id of the trace.
    pub fn trace_id(&self) -> TraceId {
        self.trace_id
    }

    /// The id of the span.
    pub fn span_id(&self) -> SpanId {
        self.span_id
    }

    /// What the sender of the trace decided. spanmill records calls of unsampled traces as well, for their
    /// provider's figures, and hands the decision on.
    pub fn sampled(&self) -> bool {
        self.flags & 1 == 1
    }

    /// Makes this the current context of the thread until the guard is dropped.
    ///
    /// The guard stays on its thread, so it cannot be held over an `.await`: futures use
    /// [`InSpan::in_span`].
    #[must_use = "the context is current only as long as the guard lives"]
    pub fn enter(&self) -> Entered {
        Entered { before: Some(swap(Some(Current::new(self.clone())))), _stays_on_its_thread: PhantomData }
    }
}

/// Puts the context back that was current before; made by [`Context::enter`] and the `enter` of spans.
#[derive(Debug)]
pub struct Entered {
    /// What was current before; `None` when nothing was changed.
    before: Option<Option<Current>>,
    _stays_on_its_thread: PhantomData<*const ()>,
}

impl Entered {
    /// A guard that changes nothing, of a span that is not recorded.
    pub(crate) fn nothing() -> Entered {
        Entered { before: None, _stays_on_its_thread: PhantomData }
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        if let Some(before) = self.before.take() {
            swap(before);
        }
    }
}

/// A context that was made current.
#[derive(Debug, Clone)]
pub(crate) struct Current {
    pub(crate) context: Context,
    /// The span that was active for OpenTelemetry at that moment: while it still is, ours is the inner one.
    #[cfg(feature = "otel")]
    pub(crate) beside: SpanId,
}

impl Current {
    pub(crate) fn new(context: Context) -> Current {
        Current {
            context,
            #[cfg(feature = "otel")]
            beside: crate::otel::active_id(),
        }
    }
}

pub(crate) fn swap(context: Option<Current>) -> Option<Current> {
    CURRENT.try_with(|current| current.replace(context)).ok().flatten()
}

/// Anything that a future can run in: a [`Span`](crate::Span), a [`Call`](crate::Call), a [`Context`].
pub trait HasContext {
    /// The context, or `None` when nothing is recorded.
    fn to_context(&self) -> Option<Context>;
}

impl HasContext for Context {
    fn to_context(&self) -> Option<Context> {
        Some(self.clone())
    }
}

impl HasContext for Option<Context> {
    fn to_context(&self) -> Option<Context> {
        self.clone()
    }
}

/// Runs a future inside a span.
pub trait InSpan: Future + Sized {
    /// Makes the span current during each poll of this future, on whatever thread that happens.
    ///
    /// Only the ids are kept, not the span itself: the future may own the span and end it.
    fn in_span(self, span: &impl HasContext) -> Instrumented<Self> {
        Instrumented { future: Box::pin(self), context: span.to_context() }
    }
}

impl<F: Future> InSpan for F {}

/// A future that runs inside a span; made by [`InSpan::in_span`].
#[derive(Debug)]
#[must_use = "futures do nothing unless polled"]
pub struct Instrumented<F> {
    // Boxed: pinning a field in place takes `unsafe` or a proc macro, and this crate has neither.
    future: Pin<Box<F>>,
    context: Option<Context>,
}

impl<F: Future> Future for Instrumented<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, task: &mut TaskContext<'_>) -> Poll<F::Output> {
        let _entered = self.context.as_ref().map(Context::enter);
        self.future.as_mut().poll(task)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn context(last: u8) -> Context {
        let mut id = [1; 8];
        id[7] = last;
        Context::root(TraceId([1; 16]), SpanId(id))
    }

    #[test]
    fn guards_nest_and_give_back_what_was_current() {
        assert_eq!(Context::current(), None);
        let outer = context(1).enter();
        {
            let _inner = context(2).enter();
            assert_eq!(Context::current(), Some(context(2)));
        }
        assert_eq!(Context::current(), Some(context(1)));
        drop(outer);
        assert_eq!(Context::current(), None);
    }

    #[test]
    fn a_future_carries_its_context_and_leaves_none_behind() {
        let mut waker = TaskContext::from_waker(std::task::Waker::noop());
        let mut polls = 0;
        let future = std::future::poll_fn(move |_| {
            assert_eq!(Context::current(), Some(context(3)));
            polls += 1;
            if polls == 2 { Poll::Ready(()) } else { Poll::Pending }
        });
        let mut future = Box::pin(future.in_span(&context(3)));
        assert!(future.as_mut().poll(&mut waker).is_pending());
        assert_eq!(Context::current(), None);
        let elsewhere = std::thread::spawn(move || {
            let mut waker = TaskContext::from_waker(std::task::Waker::noop());
            assert!(future.as_mut().poll(&mut waker).is_ready());
            assert_eq!(Context::current(), None);
        });
        elsewhere.join().unwrap();
    }
}
