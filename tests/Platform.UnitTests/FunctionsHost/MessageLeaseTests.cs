using Platform.Local.FunctionsHost.Queues;

namespace Platform.UnitTests.FunctionsHost;

/// <summary>The hold on a message while its function runs longer than the lease.</summary>
public sealed class MessageLeaseTests : IAsyncLifetime
{
    private static readonly TimeSpan Lease = TimeSpan.FromMinutes(10);
    private readonly string _folder = Directory.CreateTempSubdirectory("lease-").FullName;
    private readonly FakeTimeProvider _time = new();
    private EmbeddedQueueStore _store = null!;
    private EmbeddedQueue _queue = null!;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _store = await EmbeddedQueueStore.OpenAsync(_folder, 1024 * 1024, _time, Cancel);
        _queue = _store.Open("work");
        await _queue.SendAsync("one", Cancel);
    }

    public async ValueTask DisposeAsync()
    {
        await _store.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }

    [Fact]
    public async Task Message_WhoseFunctionRunsOn_StaysHidden()
    {
        var lease = new MessageLease(_queue, Assert.Single(await _queue.ReceiveAsync(1, Lease, Cancel)), Lease, _time);
        using var done = new CancellationTokenSource();
        var renewing = lease.RenewAsync(done.Token);

        for (var i = 0; i < 7; i++)
        {
            _time.Advance(Lease / 2);
            Assert.Empty(await _queue.ReceiveAsync(1, Lease, Cancel));
        }

        await done.CancelAsync();
        await renewing;
        _time.Advance(Lease);
        Assert.Equal(2, Assert.Single(await _queue.ReceiveAsync(1, Lease, Cancel)).DequeueCount);
    }

    [Fact]
    public async Task Message_WhoseQueueIsAwayForAMoment_StaysHidden()
    {
        var unsteady = new UnsteadyQueue(_queue);
        var lease = new MessageLease(unsteady, Assert.Single(await _queue.ReceiveAsync(1, Lease, Cancel)), Lease, _time);
        using var done = new CancellationTokenSource();
        var renewing = lease.RenewAsync(done.Token);

        unsteady.Away = true;
        _time.Advance(Lease / 2);
        unsteady.Away = false;
        _time.Advance(Lease - TimeSpan.FromSeconds(1));

        Assert.Empty(await _queue.ReceiveAsync(1, Lease, Cancel));
        await done.CancelAsync();
        await renewing;
    }

    [Fact]
    public async Task Message_ThatWasTakenAway_IsNotRenewedAgain()
    {
        var message = Assert.Single(await _queue.ReceiveAsync(1, Lease, Cancel));
        var lease = new MessageLease(_queue, message, Lease, _time);
        var renewing = lease.RenewAsync(Cancel);
        await _queue.SetVisibilityAsync(message.Id, message.PopReceipt, TimeSpan.Zero, Cancel);

        _time.Advance(Lease / 2);

        await renewing;
        Assert.Equal(message.PopReceipt, lease.PopReceipt);
    }

    /// <summary>A queue over a network that fails now and then.</summary>
    private sealed class UnsteadyQueue(IMessageQueue queue) : IMessageQueue
    {
        public bool Away { get; set; }

        public string Name => queue.Name;

        public Task SendAsync(string text, CancellationToken cancellationToken) => queue.SendAsync(text, cancellationToken);

        public Task<IReadOnlyList<QueueMessage>> ReceiveAsync(int count, TimeSpan lease, CancellationToken cancellationToken) => queue.ReceiveAsync(count, lease, cancellationToken);

        public Task WaitAsync(TimeSpan longest, CancellationToken cancellationToken) => queue.WaitAsync(longest, cancellationToken);

        public Task<string> SetVisibilityAsync(string id, string popReceipt, TimeSpan delay, CancellationToken cancellationToken) =>
            Away ? throw new IOException("no route to host") : queue.SetVisibilityAsync(id, popReceipt, delay, cancellationToken);

        public Task DeleteAsync(string id, string popReceipt, CancellationToken cancellationToken) => queue.DeleteAsync(id, popReceipt, cancellationToken);
    }
}
