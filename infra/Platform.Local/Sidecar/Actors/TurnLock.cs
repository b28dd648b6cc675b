namespace Platform.Local.Sidecar.Actors;

/// <summary>Orders the turns of one actor: first come, first served; a call of the running chain enters at once.</summary>
internal sealed class TurnLock
{
    private readonly Lock _gate = new();
    private readonly LinkedList<Waiter> _waiting = new();
    private string? _chain;
    private int _depth;

    /// <summary>True if no turn runs or waits.</summary>
    public bool IsIdle
    {
        get
        {
            lock (_gate)
            {
                return _depth == 0 && _waiting.Count == 0;
            }
        }
    }

    /// <summary>Waits for the turn.</summary>
    /// <param name="chain">Reentrancy id of the call; null if the actor type is not reentrant.</param>
    /// <param name="maxDepth">Turns of one chain that may be open at once.</param>
    /// <param name="cancellationToken">Leaves the queue.</param>
    /// <returns>False if the chain is too deep; nothing is held then.</returns>
    public ValueTask<bool> EnterAsync(string? chain, int maxDepth, CancellationToken cancellationToken)
    {
        lock (_gate)
        {
            if (_depth == 0)
            {
                _depth = 1;
                _chain = chain;
                return ValueTask.FromResult(true);
            }

            if (chain is not null && chain == _chain)
            {
                if (_depth >= maxDepth)
                {
                    return ValueTask.FromResult(false);
                }

                _depth++;
                return ValueTask.FromResult(true);
            }

            var waiter = new Waiter(chain);
            var place = _waiting.AddLast(waiter);
            if (cancellationToken.CanBeCanceled)
            {
                waiter.Cancellation = cancellationToken.UnsafeRegister((_, token) => Leave(place, token), null);
            }

            return new ValueTask<bool>(waiter.Turn.Task);
        }
    }

    /// <summary>Ends a turn; the next in the queue begins.</summary>
    public void Exit()
    {
        Waiter next;
        lock (_gate)
        {
            if (--_depth > 0)
            {
                return;
            }

            _chain = null;
            if (_waiting.First is not { } first)
            {
                return;
            }

            _waiting.RemoveFirst();
            next = first.Value;
            _depth = 1;
            _chain = next.Chain;
        }

        next.Cancellation.Unregister();
        next.Turn.SetResult(true);
    }

    private void Leave(LinkedListNode<Waiter> place, CancellationToken cancellationToken)
    {
        lock (_gate)
        {
            if (place.List is null)
            {
                return; // The turn came first.
            }

            _waiting.Remove(place);
        }

        place.Value.Turn.SetCanceled(cancellationToken);
    }

    private sealed class Waiter(string? chain)
    {
        public string? Chain => chain;

        public TaskCompletionSource<bool> Turn { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public CancellationTokenRegistration Cancellation { get; set; }
    }
}
