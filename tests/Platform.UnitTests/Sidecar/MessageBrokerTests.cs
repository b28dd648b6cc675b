using System.Collections.Concurrent;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Platform.DataPlane;
using Platform.Local;
using Platform.Local.Sidecar;
using Platform.Local.Sidecar.App;
using Platform.Local.Sidecar.PubSub;
using Platform.Local.Sidecar.Resiliency;
using Platform.Local.Sidecar.Resources;
using Platform.UnitTests.Durable;

namespace Platform.UnitTests.Sidecar;

/// <summary>When a message is delivered and when its publish is acknowledged, over a disk that is slow or full.</summary>
public sealed class MessageBrokerTests : IAsyncLifetime
{
    private readonly TempFolder _folder = new();
    private readonly ConcurrentQueue<string> _delivered = new();
    private readonly AppChannel _channel;
    private readonly WebApplication _app;

    public MessageBrokerTests()
    {
        var port = LoopbackPort.AnyFree();
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls($"http://127.0.0.1:{port}");
        _app = builder.Build();
        _app.Run(async context =>
        {
            using var body = await JsonDocument.ParseAsync(context.Request.Body, default, Token);
            _delivered.Enqueue(body.RootElement.GetProperty("id").GetString()!);
        });
        _channel = new AppChannel(new SidecarOptions { AppId = "app", AppPort = port });
    }

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() => await _app.StartAsync(Token);

    public async ValueTask DisposeAsync()
    {
        _channel.Dispose();
        await _app.DisposeAsync();
        _folder.Dispose();
    }

    [Fact]
    public async Task Publish_WhileTheDiskIsBusy_IsDeliveredAndNotYetAcknowledged()
    {
        using var disk = new ManualResetEventSlim(initialState: true);
        await using var store = await OpenAsync(_ => disk.Wait(Token));
        await using var broker = await SubscribedAsync(store);
        disk.Reset();

        var publish = broker.PublishAsync("pubsub", "t", [Event("1")]);
        await UntilDeliveredAsync(1);
        var isAcknowledged = publish.IsCompleted;
        disk.Set();
        await publish;

        Assert.False(isAcknowledged);
        Assert.Equal(["1"], _delivered);
    }

    [Fact]
    public async Task Publish_OnAFullDisk_FailsAndIsNotDeliveredAgainAndAgain()
    {
        var isFull = false;
        await using (var store = await OpenAsync(_ => DurableLogTests.ThrowIf(Volatile.Read(ref isFull))))
        {
            await using var broker = await SubscribedAsync(store);
            Volatile.Write(ref isFull, true);

            await Assert.ThrowsAsync<StorageException>(() => broker.PublishAsync("pubsub", "t", [Event("1")]));
            await Assert.ThrowsAsync<StorageException>(() => broker.PublishAsync("pubsub", "t", [Event("2")]));
            Volatile.Write(ref isFull, false);
            await broker.PublishAsync("pubsub", "t", [Event("3")]);
            await broker.PublishAsync("pubsub", "t", [Event("4")]);
            await UntilDeliveredAsync("4");
        }

        Assert.DoesNotContain("2", _delivered); // The first may have been on its way already; nobody was told that it was published.
        Assert.Contains("3", _delivered);
        await using var again = await OpenAsync(_ => { });
        Assert.Empty(again.Keys("m/"));
    }

    private static byte[] Event(string id) => Encoding.UTF8.GetBytes($$"""{"id":"{{id}}"}""");

    private async Task<MessageBroker> SubscribedAsync(DurableStore store)
    {
        var broker = new MessageBroker(store, NullLogger.Instance, TimeProvider.System);
        var component = new PubSubComponent(
            new ComponentResource { Name = "pubsub", Type = "pubsub.redis", Version = "v1", Metadata = new Dictionary<string, string>(), File = "all.yaml", Line = 1 },
            "app");
        var subscription = new Subscription { PubSub = "pubsub", Topic = "t", Rules = [new SubscriptionRule(null, "t")], IsRaw = false };
        var group = await broker.JoinAsync(component.GroupOf("t"));
        group.Subscribe(new Subscriber(subscription, component, _channel, ResiliencyPolicy.None, NullLogger.Instance, TimeProvider.System));
        return broker;
    }

    private Task<DurableStore> OpenAsync(Action<string> fault) => DurableStore.OpenAsync(new DurableStoreOptions { Folder = _folder.Path, FaultPoint = fault }, Token);

    private async Task UntilDeliveredAsync(int count)
    {
        while (_delivered.Count < count)
        {
            await Task.Delay(5, Token);
        }
    }

    private async Task UntilDeliveredAsync(string message)
    {
        while (!_delivered.Contains(message))
        {
            await Task.Delay(5, Token);
        }
    }
}
