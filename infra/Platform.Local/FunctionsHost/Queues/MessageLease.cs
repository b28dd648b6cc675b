namespace Platform.Local.FunctionsHost.Queues;

/// <summary>The hold on a message while its function runs; its pop receipt changes with every renewal.</summary>
internal sealed class MessageLease(IMessageQueue queue, QueueMessage message, TimeSpan length, TimeProvider time)
{
    public QueueMessage Message { get; } = message;

    public string PopReceipt { get; private set; } = message.PopReceipt;

    /// <summary>Renews at half-time until <paramref name="done"/>, or until the lease is lost, which the settling then finds. A queue that cannot be reached is asked again soon.</summary>
    public async Task RenewAsync(CancellationToken done)
    {
        var pause = length / 2;
        try
        {
            while (true)
            {
                await Task.Delay(pause, time, done);
                pause = await RenewsAsync() ? length / 2 : length / 20;
            }
        }
        catch (Exception exception) when (exception is OperationCanceledException or LeaseLostException)
        {
            // Either the function ended, or settling the message will say what is wrong.
        }
    }

    private async Task<bool> RenewsAsync()
    {
        try
        {
            PopReceipt = await queue.SetVisibilityAsync(Message.Id, PopReceipt, length, CancellationToken.None);
            return true;
        }
        catch (Exception exception) when (exception is not LeaseLostException)
        {
            return false;
        }
    }
}
