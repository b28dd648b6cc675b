namespace Platform.Local.FunctionsHost.Queues;

/// <summary>The hold on a message while its function runs; its pop receipt changes with every renewal.</summary>
internal sealed class MessageLease(IMessageQueue queue, QueueMessage message, TimeSpan length, TimeProvider time)
{
    public QueueMessage Message { get; } = message;

    public string PopReceipt { get; private set; } = message.PopReceipt;

    /// <summary>Renews at half-time until <paramref name="done"/>, or until the lease is lost, which the settling then finds.</summary>
    public async Task RenewAsync(CancellationToken done)
    {
        try
        {
            while (true)
            {
                await Task.Delay(length / 2, time, done);
                PopReceipt = await queue.SetVisibilityAsync(Message.Id, PopReceipt, length, CancellationToken.None);
            }
        }
        catch (Exception exception) when (exception is OperationCanceledException or LeaseLostException or IOException)
        {
            // Either the function ended, or settling the message will say what is wrong.
        }
    }
}
