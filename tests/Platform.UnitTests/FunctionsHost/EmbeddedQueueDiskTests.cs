using Platform.DataPlane;
using Platform.Local.FunctionsHost.Queues;

namespace Platform.UnitTests.FunctionsHost;

/// <summary>What a queue gives out while a message is on its way to the disk, and when the disk then refuses it.</summary>
public sealed class EmbeddedQueueDiskTests : IAsyncLifetime
{
    private static readonly TimeSpan Lease = TimeSpan.FromMinutes(10);
    private readonly TempFolder _folder = new();
    private readonly SemaphoreSlim _reached = new(0);
    private readonly SemaphoreSlim _mayGoOn = new(0);
    private volatile bool _holds;
    private volatile bool _fails;
    private DurableStore _store = null!;
    private EmbeddedQueue _queue = null!;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _store = await DurableStore.OpenAsync(new DurableStoreOptions { Folder = _folder.Path, LimitBytes = 1 << 20, FaultPoint = AtPoint }, Token);
        _queue = new EmbeddedQueue("work", _store, TimeProvider.System);
    }

    public async ValueTask DisposeAsync()
    {
        await _queue.SettleAsync();
        await _store.DisposeAsync();
        _folder.Dispose();
        _reached.Dispose();
        _mayGoOn.Dispose();
    }

    [Fact]
    public async Task Receive_MessageIsOnItsWayToTheDisk_GivesIt_AndTheSendIsAcknowledgedOnceItIsDurable()
    {
        _holds = true;
        var send = _queue.SendAsync("one", Token);
        await _reached.WaitAsync(Token);

        var taken = Assert.Single(await _queue.ReceiveAsync(16, Lease, Token));
        Assert.Equal("one", taken.Text);
        Assert.False(send.IsCompleted);

        _holds = false;
        _mayGoOn.Release();
        await send;
        await _queue.DeleteAsync(taken.Id, taken.PopReceipt, Token);
        Assert.Equal(0, _queue.Count);
        Assert.Empty(_store.Keys(""));
    }

    [Fact]
    public async Task Send_SenderGivesUpMeanwhile_TheMessageStays()
    {
        using var patience = new CancellationTokenSource();
        _holds = true;
        var send = _queue.SendAsync("one", patience.Token);
        await _reached.WaitAsync(Token);
        await patience.CancelAsync();

        _holds = false;
        _mayGoOn.Release();
        await send;

        Assert.Equal("one", Assert.Single(await _queue.ReceiveAsync(16, Lease, Token)).Text);
    }

    [Fact]
    public async Task Send_DiskRefuses_LeavesNothing_AndTheNextIsGivenOutOnlyOnceItIsDurable()
    {
        (_holds, _fails) = (true, true);
        var send = _queue.SendAsync("one", Token);
        await _reached.WaitAsync(Token);
        var taken = Assert.Single(await _queue.ReceiveAsync(16, Lease, Token));
        _mayGoOn.Release();
        await Assert.ThrowsAsync<StorageException>(() => send);

        Assert.Equal(0, _queue.Count);
        await Assert.ThrowsAsync<LeaseLostException>(() => _queue.DeleteAsync(taken.Id, taken.PopReceipt, Token));

        _fails = false;
        Assert.Equal(0, await ReceivedBeforeDurableAsync("two"));
        Assert.Equal("two", Assert.Single(await _queue.ReceiveAsync(16, Lease, Token)).Text);
        Assert.Equal(1, await ReceivedBeforeDurableAsync("three"));
    }

    /// <summary>Sends a message, and says how many a reader gets while it is on its way.</summary>
    private async Task<int> ReceivedBeforeDurableAsync(string text)
    {
        _holds = true;
        var send = _queue.SendAsync(text, Token);
        await _reached.WaitAsync(Token);
        var taken = await _queue.ReceiveAsync(16, Lease, Token);
        _holds = false;
        _mayGoOn.Release();
        await send;
        return taken.Count;
    }

    private void AtPoint(string point)
    {
        if (point == "log.sync" && _holds)
        {
            _reached.Release();
            _mayGoOn.Wait();
            if (_fails)
            {
                throw new IOException("No space left on device", 28);
            }
        }
    }
}
