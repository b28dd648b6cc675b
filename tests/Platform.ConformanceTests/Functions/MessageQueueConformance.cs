using Platform.Local.FunctionsHost.App;
using Platform.Local.FunctionsHost.Queues;

namespace Platform.ConformanceTests.Functions;

/// <summary>What a trigger may rely on, whichever provider is behind the queue. The embedded queue and Azure Storage (Azurite) pass the same tests.</summary>
public abstract class MessageQueueConformance
{
    private static readonly TimeSpan Lease = TimeSpan.FromMinutes(10);

    private protected static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("one")]
    [InlineData("<xml attr=\"&\">\u00e9\u4e16\U0001F600</xml>")]
    [InlineData("  spaces  \n and lines\n")]
    public async Task Send_ThenReceive_GivesTheTextAndHidesTheMessage(string text)
    {
        await using var provider = await OpenAsync();
        var before = DateTimeOffset.UtcNow.AddMinutes(-5);
        await provider.Queue.SendAsync(text, Cancel);

        var message = Assert.Single(await provider.Queue.ReceiveAsync(32, Lease, Cancel));

        Assert.Equal((text, 1L), (message.Text, message.DequeueCount));
        Assert.True(message.InsertionTime > before && message.ExpirationTime > message.InsertionTime.AddDays(6) && message.NextVisibleTime > message.InsertionTime.AddMinutes(5));
        Assert.Empty(await provider.Queue.ReceiveAsync(32, Lease, Cancel));
    }

    [Fact]
    public async Task Receive_GivesAtMostAsManyAsAskedEachToOneReader()
    {
        await using var provider = await OpenAsync();
        for (var i = 0; i < 10; i++)
        {
            await provider.Queue.SendAsync($"{i}", Cancel);
        }

        var batches = await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => provider.Queue.ReceiveAsync(3, Lease, Cancel)));

        Assert.All(batches, batch => Assert.InRange(batch.Count, 1, 3));
        Assert.Equal(Enumerable.Range(0, 10).Select(i => $"{i}"), batches.SelectMany(batch => batch).Select(message => message.Text).Order());
    }

    [Fact]
    public async Task Visibility_SetToZero_BringsTheMessageBackWithAHigherCountAndANewReceipt()
    {
        await using var provider = await OpenAsync();
        await provider.Queue.SendAsync("one", Cancel);
        var first = Assert.Single(await provider.Queue.ReceiveAsync(1, Lease, Cancel));

        await provider.Queue.SetVisibilityAsync(first.Id, first.PopReceipt, TimeSpan.Zero, Cancel);
        var second = await UntilVisibleAsync(provider.Queue);

        Assert.Equal((first.Id, 2L), (second.Id, second.DequeueCount));
        Assert.NotEqual(first.PopReceipt, second.PopReceipt);
        await Assert.ThrowsAsync<LeaseLostException>(() => provider.Queue.DeleteAsync(first.Id, first.PopReceipt, Cancel));
    }

    [Fact]
    public async Task Lease_ThatEnds_MakesTheMessageVisibleAgain()
    {
        await using var provider = await OpenAsync();
        await provider.Queue.SendAsync("one", Cancel);

        var first = Assert.Single(await provider.Queue.ReceiveAsync(1, TimeSpan.FromSeconds(1), Cancel));
        var second = await UntilVisibleAsync(provider.Queue);

        Assert.Equal((first.Id, 2L), (second.Id, second.DequeueCount));
        Assert.True(second.NextVisibleTime > first.NextVisibleTime);
    }

    [Fact]
    public async Task Lease_Renewed_GivesAReceiptThatAloneCounts()
    {
        await using var provider = await OpenAsync();
        await provider.Queue.SendAsync("one", Cancel);
        var taken = Assert.Single(await provider.Queue.ReceiveAsync(1, Lease, Cancel));

        var renewed = await provider.Queue.SetVisibilityAsync(taken.Id, taken.PopReceipt, Lease, Cancel);

        Assert.NotEqual(taken.PopReceipt, renewed);
        await Assert.ThrowsAsync<LeaseLostException>(() => provider.Queue.SetVisibilityAsync(taken.Id, taken.PopReceipt, Lease, Cancel));
        await provider.Queue.DeleteAsync(taken.Id, renewed, Cancel);
        await Assert.ThrowsAsync<LeaseLostException>(() => provider.Queue.DeleteAsync(taken.Id, renewed, Cancel));
    }

    [Fact]
    public async Task Message_OfMoreThan64KiB_IsRefused()
    {
        await using var provider = await OpenAsync();
        await provider.Queue.SendAsync(new string('a', 64 * 1024), Cancel);

        await Assert.ThrowsAsync<ArgumentException>(() => provider.Queue.SendAsync(new string('a', (64 * 1024) + 1), Cancel));

        Assert.Equal(64 * 1024, Assert.Single(await provider.Queue.ReceiveAsync(32, Lease, Cancel)).Text.Length);
    }

    [Fact]
    public async Task Wait_ForAMessage_EndsAndFindsIt()
    {
        await using var provider = await OpenAsync();
        Assert.Empty(await provider.Queue.ReceiveAsync(1, Lease, Cancel));
        await provider.Queue.WaitAsync(TimeSpan.FromMilliseconds(100), Cancel);
        await provider.Queue.SendAsync("one", Cancel);

        await provider.Queue.WaitAsync(TimeSpan.FromSeconds(5), Cancel);

        Assert.Equal("one", (await UntilVisibleAsync(provider.Queue)).Text);
    }

    [Theory]
    [InlineData("up")]
    [InlineData("Has_Underscore")]
    [InlineData("two--hyphens")]
    public async Task Name_ThatIsNone_IsRefusedWithTheRule(string name)
    {
        await using var provider = await OpenAsync();

        var failure = Assert.ThrowsAny<Exception>(() => provider.Providers.Open(name, null));

        Assert.Contains("3 to 63", failure.Message, StringComparison.Ordinal);
    }

    private protected abstract Task<OpenProvider> OpenAsync();

    private static async Task<QueueMessage> UntilVisibleAsync(IMessageQueue queue)
    {
        while (true)
        {
            if (await queue.ReceiveAsync(1, Lease, Cancel) is [var message])
            {
                return message;
            }

            await queue.WaitAsync(TimeSpan.FromMilliseconds(100), Cancel);
        }
    }

    /// <summary>A queue of one provider, and what must end with it.</summary>
    private protected sealed class OpenProvider : IAsyncDisposable
    {
        private readonly string _folder = Directory.CreateTempSubdirectory("queue-provider-").FullName;
        private EmbeddedQueueStore _store = null!;
        private IDisposable? _server;

        public QueueProviders Providers { get; private set; } = null!;

        public IMessageQueue Queue { get; private set; } = null!;

        public static async Task<OpenProvider> CreateAsync(string connection, IDisposable? server)
        {
            var provider = new OpenProvider { _server = server };
            provider._store = await EmbeddedQueueStore.OpenAsync(Path.Combine(provider._folder, "queues"), 64 * 1024 * 1024, TimeProvider.System, Cancel);
            provider.Providers = new QueueProviders(AppSettings.Load(provider._folder, new Dictionary<string, string> { ["AzureWebJobsStorage"] = connection }), provider._store, TimeProvider.System);
            provider.Queue = provider.Providers.Open("work", null);
            return provider;
        }

        public async ValueTask DisposeAsync()
        {
            await _store.DisposeAsync();
            _server?.Dispose();
            Directory.Delete(_folder, recursive: true);
        }
    }
}

/// <summary>The durable queue of this host.</summary>
public sealed class EmbeddedQueueConformanceTests : MessageQueueConformance
{
    private protected override Task<OpenProvider> OpenAsync() => OpenProvider.CreateAsync("embedded", null);
}

/// <summary>Azure Storage, as Azurite serves it.</summary>
[Trait("Needs", "azurite")]
public sealed class AzuriteQueueConformanceTests : MessageQueueConformance
{
    private protected override async Task<OpenProvider> OpenAsync()
    {
        var azurite = await AzuriteServer.StartAsync();
        return await OpenProvider.CreateAsync(azurite.Connection, azurite);
    }
}
