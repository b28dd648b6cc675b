using Platform.DataPlane;
using Platform.Local.FunctionsHost.Queues;

namespace Platform.UnitTests.FunctionsHost;

public sealed class EmbeddedQueueTests : IAsyncLifetime
{
    private static readonly TimeSpan Lease = TimeSpan.FromMinutes(10);
    private const long Limit = 64 * 1024 * 1024;
    private readonly string _folder = Directory.CreateTempSubdirectory("queue-").FullName;
    private EmbeddedQueueStore _store = null!;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() => _store = await EmbeddedQueueStore.OpenAsync(_folder, Limit, TimeProvider.System, Cancel);

    public async ValueTask DisposeAsync()
    {
        await _store.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }

    [Fact]
    public async Task Receive_OfASentMessage_HidesItAndCounts()
    {
        var queue = _store.Open("work");
        await queue.SendAsync("one", Cancel);

        var first = Assert.Single(await queue.ReceiveAsync(16, Lease, Cancel));
        Assert.Empty(await queue.ReceiveAsync(16, Lease, Cancel));
        await queue.SetVisibilityAsync(first.Id, first.PopReceipt, TimeSpan.Zero, Cancel);
        var second = Assert.Single(await queue.ReceiveAsync(16, Lease, Cancel));

        Assert.Equal(("one", 1L, "one", 2L), (first.Text, first.DequeueCount, second.Text, second.DequeueCount));
        Assert.NotEqual(first.PopReceipt, second.PopReceipt);
    }

    [Fact]
    public async Task Delete_WithAnOldReceipt_IsRefused()
    {
        var queue = _store.Open("work");
        await queue.SendAsync("one", Cancel);
        var taken = Assert.Single(await queue.ReceiveAsync(1, Lease, Cancel));
        var receipt = await queue.SetVisibilityAsync(taken.Id, taken.PopReceipt, Lease, Cancel);

        await Assert.ThrowsAsync<LeaseLostException>(() => queue.DeleteAsync(taken.Id, taken.PopReceipt, Cancel));
        await queue.DeleteAsync(taken.Id, receipt, Cancel);

        Assert.Equal(0, queue.Count);
    }

    [Fact]
    public async Task Wait_ForAMessage_EndsWhenOneIsSent()
    {
        var queue = _store.Open("work");
        var waiting = queue.WaitAsync(TimeSpan.FromMinutes(5), Cancel);
        Assert.False(waiting.IsCompleted);

        await queue.SendAsync("one", Cancel);

        await waiting;
    }

    [Theory]
    [InlineData(-3)]
    [InlineData(3)]
    public async Task Clock_SetByHours_HidesNoMessageAndEndsNoLease(int hours)
    {
        var time = new FakeTimeProvider();
        await _store.DisposeAsync();
        _store = await EmbeddedQueueStore.OpenAsync(_folder, Limit, time, Cancel);
        var queue = _store.Open("work");
        await queue.SendAsync("taken", Cancel);
        var taken = Assert.Single(await queue.ReceiveAsync(1, Lease, Cancel));
        await queue.SendAsync("waiting", Cancel);

        time.Shift(TimeSpan.FromHours(hours));
        var waiting = Assert.Single(await queue.ReceiveAsync(16, Lease, Cancel));
        time.Advance(Lease);
        var again = Assert.Single(await queue.ReceiveAsync(1, Lease, Cancel));

        Assert.Equal(("waiting", "taken", 2L), (waiting.Text, again.Text, again.DequeueCount));
        Assert.Equal(taken.NextVisibleTime.AddHours(hours), waiting.NextVisibleTime);
    }

    [Fact]
    public async Task Reopen_WithTakenMessages_ShowsThemAtOnceWithTheirCounts()
    {
        var queue = _store.Open("work");
        for (var i = 0; i < 20; i++)
        {
            await queue.SendAsync($"{i}", Cancel);
        }

        var taken = await queue.ReceiveAsync(7, Lease, Cancel);
        await queue.DeleteAsync(taken[0].Id, taken[0].PopReceipt, Cancel);
        await _store.DisposeAsync();
        _store = await EmbeddedQueueStore.OpenAsync(_folder, Limit, TimeProvider.System, Cancel);

        var again = await _store.Open("work").ReceiveAsync(32, Lease, Cancel);

        Assert.Equal(["work"], _store.Names);
        Assert.Equal(Enumerable.Range(1, 19).Select(i => $"{i}"), again.Select(message => message.Text));
        Assert.Equal(Enumerable.Repeat(2L, 6).Concat(Enumerable.Repeat(1L, 13)), again.Select(message => message.DequeueCount));
    }

    [Fact]
    public async Task SendAndDelete_ProcessKilledAgainAndAgain_HoldWhatWasAcknowledged()
    {
        var random = new Random(3);
        var told = new HashSet<(string What, string Text)>();
        for (var round = 0; round < 4; round++)
        {
            await _store.DisposeAsync();
            using var child = ChildProgram.Start(typeof(EmbeddedQueueTests), _folder, $"{round}");
            var wanted = random.Next(1, 600);
            while (await child.StandardOutput.ReadLineAsync(Cancel) is { } line)
            {
                var words = line.Split(' ');
                told.Add((words[0], words[1]));
                if (--wanted == 0)
                {
                    child.Kill();
                }
            }

            await child.WaitForExitAsync(Cancel);
            _store = await EmbeddedQueueStore.OpenAsync(_folder, Limit, TimeProvider.System, Cancel);
            var kept = _store.Open("work").Peek(int.MaxValue).Select(message => message.Text).ToList();
            Assert.Empty(Told("sent").Except(Told("deleting")).Except(kept));
            Assert.Empty(Told("deleted").Intersect(kept));
            Assert.Equal(kept.Count, kept.Distinct().Count());
        }

        IEnumerable<string> Told(string what) => told.Where(entry => entry.What == what).Select(entry => entry.Text);
    }

    /// <summary>Four writers, each of which says when a message is acknowledged, and deletes every second one that it takes.</summary>
    internal static async Task ChildMain(string[] args)
    {
        await using var store = await EmbeddedQueueStore.OpenAsync(args[0], Limit, TimeProvider.System, CancellationToken.None);
        var queue = store.Open("work");
        await Task.WhenAll(Enumerable.Range(0, 4).Select(async writer =>
        {
            for (var i = 0; ; i++)
            {
                var text = $"{args[1]}-{writer}-{i}";
                await queue.SendAsync(text, CancellationToken.None);
                Say($"sent {text}");
                if (await queue.ReceiveAsync(1, Lease, CancellationToken.None) is [var taken] && i % 2 == 1)
                {
                    Say($"deleting {taken.Text}");
                    await queue.DeleteAsync(taken.Id, taken.PopReceipt, CancellationToken.None);
                    Say($"deleted {taken.Text}");
                }
            }
        }));

        void Say(string line)
        {
            lock (store)
            {
                Console.WriteLine(line);
            }
        }
    }

    [Fact]
    public async Task Send_IntoAFullStore_IsRefusedUntilThereIsRoom()
    {
        await _store.DisposeAsync();
        _store = await EmbeddedQueueStore.OpenAsync(_folder, 10_000, TimeProvider.System, Cancel);
        var queue = _store.Open("work");
        await queue.SendAsync(new string('a', 8000), Cancel);

        var failure = await Assert.ThrowsAsync<StorageException>(() => queue.SendAsync(new string('b', 8000), Cancel));
        var taken = Assert.Single(await queue.ReceiveAsync(16, Lease, Cancel));
        await queue.DeleteAsync(taken.Id, taken.PopReceipt, Cancel);
        await queue.SendAsync(new string('c', 8000), Cancel);

        Assert.Equal(StorageError.Full, failure.Error);
        Assert.Equal('c', Assert.Single(queue.Peek(10)).Text[0]);
    }

    [Fact]
    public async Task Delete_BesideASendThatIsRefused_IsDurable()
    {
        await _store.DisposeAsync();
        _store = await EmbeddedQueueStore.OpenAsync(_folder, 10_000, TimeProvider.System, Cancel);
        var queue = _store.Open("work");
        await queue.SendAsync("one", Cancel);
        var taken = Assert.Single(await queue.ReceiveAsync(1, Lease, Cancel));

        // The queue is empty now, so the removal would share the commit of the next message.
        var deleting = queue.DeleteAsync(taken.Id, taken.PopReceipt, Cancel);
        await Assert.ThrowsAsync<StorageException>(() => queue.SendAsync(new string('b', 30_000), Cancel));
        await deleting;
        await _store.DisposeAsync();
        _store = await EmbeddedQueueStore.OpenAsync(_folder, 10_000, TimeProvider.System, Cancel);

        Assert.Empty(_store.Names);
    }

    [Fact]
    public async Task Send_OfMoreThan64KiB_IsRefused()
    {
        var queue = _store.Open("work");
        await queue.SendAsync(new string('a', 64 * 1024), Cancel);

        var failure = await Assert.ThrowsAsync<ArgumentException>(() => queue.SendAsync(new string('a', (64 * 1024) + 1), Cancel));

        Assert.Contains("65537", failure.Message, StringComparison.Ordinal);
        Assert.Equal(1, queue.Count);
    }
}
