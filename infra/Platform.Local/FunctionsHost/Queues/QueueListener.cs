using Platform.Local.FunctionsHost.App;
using Platform.Local.FunctionsHost.Invocations;

namespace Platform.Local.FunctionsHost.Queues;

/// <summary>Runs one queue-triggered function: fetches batches, keeps leases alive, settles each message, moves poison away.</summary>
internal sealed class QueueListener(FunctionDefinition function, string queueName, QueueProviders queues, FunctionInvoker invoker, QueueSettings settings, TimeProvider time, ILogger logger)
{
    /// <summary>What the name of a queue's poison queue ends in.</summary>
    public const string PoisonSuffix = "-poison";

    /// <summary>The lease of the storage extension; renewed at half-time.</summary>
    private static readonly TimeSpan Lease = TimeSpan.FromMinutes(10);

    /// <summary>Least wait before a message that could not be settled is tried again: the reason, a full disk say, seldom goes away at once.</summary>
    private static readonly TimeSpan SettlePause = TimeSpan.FromSeconds(1);

    private readonly HashSet<Task> _running = [];

    /// <summary>Works until <paramref name="stopping"/>, then lets running messages end until <paramref name="abort"/>.</summary>
    public async Task RunAsync(CancellationToken stopping, CancellationToken abort)
    {
        try
        {
            await FetchAsync(stopping, abort);
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            // Stopping.
        }

        await Task.WhenAll(_running);
    }

    private async Task FetchAsync(CancellationToken stopping, CancellationToken abort)
    {
        IMessageQueue? queue = null;
        var connection = function.Trigger.Text("connection");
        while (true)
        {
            _running.RemoveWhere(task => task.IsCompleted);
            if (_running.Count > settings.NewBatchThreshold)
            {
                await Task.WhenAny(_running).WaitAsync(stopping);
                continue;
            }

            try
            {
                queue ??= queues.Open(queueName, connection);
                var batch = await queue.ReceiveAsync(settings.BatchSize, Lease, stopping);
                foreach (var message in batch)
                {
                    // A lone message begins on this thread: handing it over would take longer than sending its envelope.
                    _running.Add(batch.Count == 1 ? ProcessAsync(queue, message, abort) : Task.Run(() => ProcessAsync(queue, message, abort), CancellationToken.None));
                }

                if (batch.Count == 0)
                {
                    await queue.WaitAsync(settings.MaxPollingInterval, stopping);
                }
            }
            catch (Exception exception) when (exception is not OperationCanceledException || !stopping.IsCancellationRequested)
            {
                logger.QueueUnreadable(queueName, function.Name, exception.Message);
                await Task.Delay(settings.MaxPollingInterval, time, stopping);
            }
        }
    }

    private async Task ProcessAsync(IMessageQueue queue, QueueMessage message, CancellationToken abort)
    {
        var lease = new MessageLease(queue, message, Lease, time);
        try
        {
            if (!QueueEncoding.TryDecode(message.Text, settings.Base64, out var body))
            {
                await PoisonAsync(queue, lease, "the text is not base64, which extensions.queues.messageEncoding asks for", abort);
            }
            else if (message.DequeueCount > settings.MaxDequeueCount)
            {
                await PoisonAsync(queue, lease, $"it was taken {message.DequeueCount} times", abort);
            }
            else if (await SucceedsAsync(message, body, lease, abort))
            {
                await queue.DeleteAsync(message.Id, lease.PopReceipt, CancellationToken.None);
            }
            else if (message.DequeueCount >= settings.MaxDequeueCount && !abort.IsCancellationRequested)
            {
                await PoisonAsync(queue, lease, $"it failed {message.DequeueCount} times", abort);
            }
            else
            {
                await queue.SetVisibilityAsync(message.Id, lease.PopReceipt, settings.VisibilityTimeout, CancellationToken.None);
            }
        }
        catch (Exception exception)
        {
            logger.MessageNotSettled(message.Id, queue.Name, exception.Message);
            await ReleaseAsync(queue, message.Id, lease);
        }
    }

    /// <summary>Gives a message back early; where that fails too, it comes back when its lease ends.</summary>
    private async Task ReleaseAsync(IMessageQueue queue, string id, MessageLease lease)
    {
        try
        {
            var delay = settings.VisibilityTimeout > SettlePause ? settings.VisibilityTimeout : SettlePause;
            await queue.SetVisibilityAsync(id, lease.PopReceipt, delay, CancellationToken.None);
        }
        catch (Exception exception)
        {
            logger.MessageNotSettled(id, queue.Name, exception.Message);
        }
    }

    private async Task<bool> SucceedsAsync(QueueMessage message, byte[] body, MessageLease lease, CancellationToken abort)
    {
        using var running = CancellationTokenSource.CreateLinkedTokenSource(abort);
        var renewing = lease.RenewAsync(running.Token);
        try
        {
            await invoker.InvokeAsync(function, () => EnvelopeOf(message, body), abort);
            return true;
        }
        catch (Exception exception) when (exception is InvocationException or OperationCanceledException)
        {
            return false;
        }
        finally
        {
            await running.CancelAsync();
            await renewing;
        }
    }

    private EnvelopeRequest EnvelopeOf(QueueMessage message, byte[] body)
    {
        var envelope = new EnvelopeRequest(function.Name, time.GetUtcNow())
            .Metadata("DequeueCount", message.DequeueCount)
            .Metadata("ExpirationTime", message.ExpirationTime)
            .Metadata("Id", message.Id)
            .Metadata("InsertionTime", message.InsertionTime)
            .Metadata("NextVisibleTime", message.NextVisibleTime)
            .Metadata("PopReceipt", message.PopReceipt);
        return QueueEncoding.Text(body) is { } text && !function.Trigger.IsBinary
            ? envelope.Data(function.Trigger.Name, text).MetadataOfPayload(text)
            : envelope.Data(function.Trigger.Name, body);
    }

    private async Task PoisonAsync(IMessageQueue queue, MessageLease lease, string reason, CancellationToken cancellationToken)
    {
        if (queue.Name.EndsWith(PoisonSuffix, StringComparison.Ordinal) || queue.Name.Length + PoisonSuffix.Length > 63)
        {
            // No poison queue for a poison queue: the message stays, hidden until its lease ends.
            return;
        }

        var poison = queues.Open(queue.Name + PoisonSuffix, function.Trigger.Text("connection"));
        await poison.SendAsync(lease.Message.Text, cancellationToken);
        await queue.DeleteAsync(lease.Message.Id, lease.PopReceipt, cancellationToken);
        logger.MessagePoisoned(lease.Message.Id, queue.Name, poison.Name, reason);
    }
}
