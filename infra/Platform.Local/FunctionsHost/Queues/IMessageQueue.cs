namespace Platform.Local.FunctionsHost.Queues;

/// <summary>One queue with the semantics of an Azure Storage queue: at least once, no order promised, leases by visibility time-out and pop receipt.</summary>
internal interface IMessageQueue
{
    string Name { get; }

    /// <summary>Adds a message; completes when it is durable.</summary>
    /// <param name="text">The text as it is stored, base64 already applied where the app uses it; at most 64 KiB.</param>
    /// <param name="cancellationToken">Gives up waiting; the message may have been added.</param>
    /// <exception cref="ArgumentException">The text is longer than 64 KiB.</exception>
    Task SendAsync(string text, CancellationToken cancellationToken);

    /// <summary>Takes up to <paramref name="count"/> visible messages and hides them for <paramref name="lease"/>; returns at once, maybe with none.</summary>
    Task<IReadOnlyList<QueueMessage>> ReceiveAsync(int count, TimeSpan lease, CancellationToken cancellationToken);

    /// <summary>Waits until a message may be visible, at most <paramref name="longest"/>.</summary>
    Task WaitAsync(TimeSpan longest, CancellationToken cancellationToken);

    /// <summary>Makes a taken message visible after <paramref name="delay"/>; gives the new pop receipt.</summary>
    /// <exception cref="LeaseLostException">The receipt is no longer the message's.</exception>
    Task<string> SetVisibilityAsync(string id, string popReceipt, TimeSpan delay, CancellationToken cancellationToken);

    /// <summary>Removes a taken message.</summary>
    /// <exception cref="LeaseLostException">The receipt is no longer the message's.</exception>
    Task DeleteAsync(string id, string popReceipt, CancellationToken cancellationToken);
}

/// <summary>A message under a lease.</summary>
internal sealed record QueueMessage(string Id, string Text, string PopReceipt, long DequeueCount, DateTimeOffset InsertionTime, DateTimeOffset ExpirationTime, DateTimeOffset NextVisibleTime);

/// <summary>The lease on a message has passed to somebody else, or the message is gone.</summary>
internal sealed class LeaseLostException(string queue, string id, Exception? inner = null)
    : Exception($"The lease on message {id} of queue '{queue}' is lost: its visibility time-out passed, or it was deleted.", inner);
