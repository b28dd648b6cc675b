using System.Net;
using System.Threading.Channels;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Platform.Dapr;
using Platform.Local;

namespace Platform.ConformanceTests.Dapr;

/// <summary>The client library's invocation, over two sidecars' work: streams both ways, cancellation, transactions beside it.</summary>
public sealed class InvokerTests
{
    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Stream_EachWay_EachPieceIsThereBeforeTheNextIsSent()
    {
        var arrived = Channel.CreateUnbounded<byte>();
        var answered = Channel.CreateUnbounded<byte[]>();
        await using var cluster = await TestCluster.OpenAsync();
        await cluster.StartAsync("streams", app => app.MapPost("/both", async (HttpContext context) =>
        {
            var buffer = new byte[1];
            while (await context.Request.Body.ReadAsync(buffer, Stop) > 0)
            {
                await arrived.Writer.WriteAsync(buffer[0], Stop);
            }

            await foreach (var piece in answered.Reader.ReadAllAsync(Stop))
            {
                await context.Response.Body.WriteAsync(piece, Stop);
                await context.Response.Body.FlushAsync(Stop);
            }
        }));
        var invoker = (await cluster.StartAsync("caller")).Services.GetRequiredService<DaprInvoker>();
        var sent = Channel.CreateUnbounded<byte[]>();
        using var request = invoker.CreateInvokeMethodRequest(HttpMethod.Post, "streams", "both");
        request.Content = new Pieces(sent.Reader);

        var call = invoker.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, Stop);
        for (byte i = 1; i <= 5; i++)
        {
            await sent.Writer.WriteAsync([i], Stop);
            Assert.Equal(i, await arrived.Reader.ReadAsync(Stop));
        }

        sent.Writer.Complete();
        await answered.Writer.WriteAsync([1], Stop);
        using var response = await call;
        var body = await response.Content.ReadAsStreamAsync(Stop);
        var received = new byte[1];
        for (byte i = 1; i <= 5; i++)
        {
            Assert.Equal((1, i), (await body.ReadAsync(received, Stop), received[0]));
            await answered.Writer.WriteAsync([(byte)(i + 1)], Stop);
        }

        answered.Writer.Complete();
        Assert.Equal((1, 6), (await body.ReadAsync(received, Stop), received[0]));
        Assert.Equal(0, await body.ReadAsync(received, Stop));
    }

    [Fact]
    public async Task Cancellation_ReachesTheApp()
    {
        var isBegun = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var isAborted = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var cluster = await TestCluster.OpenAsync();
        await cluster.StartAsync("slow", app => app.MapGet("/wait", async (HttpContext context) =>
        {
            context.RequestAborted.Register(isAborted.SetResult);
            isBegun.SetResult();
            await Task.Delay(Timeout.Infinite, context.RequestAborted);
        }));
        var invoker = (await cluster.StartAsync("caller")).Services.GetRequiredService<DaprInvoker>();
        using var cancellation = CancellationTokenSource.CreateLinkedTokenSource(Stop);

        var call = invoker.InvokeMethodAsync(HttpMethod.Get, "slow", "wait", cancellation.Token);
        await isBegun.Task.WaitAsync(Stop);
        await cancellation.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => call);
        await isAborted.Task.WaitAsync(Stop);
    }

    [Fact]
    public async Task Failure_OfTheApp_KeepsStatusBodyAppAndMethod()
    {
        await using var cluster = await TestCluster.OpenAsync();
        await cluster.StartAsync("callee", app => app.MapPost("/orders", () => Results.Text("out of stock", statusCode: 409)));
        var invoker = (await cluster.StartAsync("caller")).Services.GetRequiredService<DaprInvoker>();

        var failure = await Assert.ThrowsAsync<DaprInvocationException>(() => invoker.InvokeMethodAsync(HttpMethod.Post, "callee", "orders?dry=1", 1, TestJson.Default.Int32, Stop));
        using var raw = await invoker.SendAsync(invoker.CreateInvokeMethodRequest(HttpMethod.Post, "callee", "orders"), cancellationToken: Stop);

        Assert.Equal((HttpStatusCode.Conflict, "out of stock", "callee", "orders?dry=1", (string?)null, false), (failure.StatusCode, failure.Body, failure.AppId, failure.Method, failure.ErrorCode, failure.IsTransport));
        await raw.IsAsync(HttpStatusCode.Conflict, "out of stock");
    }

    [Theory]
    [InlineData("../../../state/statestore/secret")]
    [InlineData("..%2F../../../../state/statestore/secret")]
    [InlineData("x/%2e%2e/%2E%2E/%2e./../state/statestore/secret")]
    [InlineData("..\\..\\..\\..\\metadata")]
    public async Task Method_ThatClimbs_ReachesNoOtherPartOfTheSidecar(string method)
    {
        await using var cluster = await TestCluster.OpenAsync();
        await cluster.StartAsync("callee", app => app.Run(context => context.Response.WriteAsync(context.Request.Path)));
        var caller = await cluster.StartAsync("caller");
        await caller.Client.SendAsync(HttpMethod.Post, "v1.0/state/statestore", Answers.Json("""[{"key":"secret","value":1}]"""));
        var invoker = caller.Services.GetRequiredService<DaprInvoker>();

        var e = Assert.Throws<ArgumentException>(() => invoker.CreateInvokeMethodRequest(HttpMethod.Get, "callee", method));
        Assert.Contains("leads out of the app", e.Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentException>(() => invoker.CreateInvokeMethodRequest(HttpMethod.Get, "..", "x"));
        using var within = await invoker.SendAsync(invoker.CreateInvokeMethodRequest(HttpMethod.Get, "callee", "a/../b%2Fc?q=.."), cancellationToken: Stop);
        await within.IsAsync(HttpStatusCode.OK, "/b/c");
    }

    [Fact]
    public async Task Names_OfStateTopicsAndActors_AreNamesEvenIfTheyAreDots()
    {
        await using var cluster = await TestCluster.OpenAsync();
        var recording = new RecordingApp { Config = """{"entities":["T"]}""", Subscribe = """[{"pubsubname":"pubsub","topic":"../../state","route":"/t"}]""" };
        var app = await cluster.StartAsync("app", recording.Map);
        var state = app.Services.GetRequiredService<DaprStateClient>();
        foreach (var key in new[] { "..", ".", "../../metadata", "a b/%2E%2E" })
        {
            await state.SaveStateAsync("statestore", key, key, TestJson.Default.String, cancellationToken: Stop);
            Assert.Equal(key, await state.GetStateAsync("statestore", key, TestJson.Default.String, cancellationToken: Stop));
            await state.DeleteStateAsync("statestore", key, Stop);
            Assert.Null(await state.GetStateAsync("statestore", key, TestJson.Default.String, cancellationToken: Stop));
        }

        await app.Services.GetRequiredService<DaprPublisher>().PublishEventAsync("pubsub", "../../state", 1, TestJson.Default.Int32, cancellationToken: Stop);
        await recording.UntilAsync("/t", 1);
        var actor = app.Services.GetRequiredService<Platform.Dapr.Actors.ActorProxyFactory>().CreateActorProxy("T", "..");
        var refused = await Assert.ThrowsAsync<DaprActorException>(() => actor.InvokeMethodAsync("m", Stop));
        Assert.Equal("ERR_BAD_REQUEST", refused.ErrorCode);
    }

    [Fact]
    public async Task Answer_ThatBreaksOff_IsTheFailureOfItsBlock()
    {
        var port = LoopbackPort.AnyFree();
        using var listener = new System.Net.Sockets.TcpListener(IPAddress.Loopback, port);
        listener.Start();
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Stop);
        var half = Task.Run(
            async () =>
            {
                while (true)
                {
                    using var client = await listener.AcceptTcpClientAsync(stop.Token);
                    using var request = new StreamReader(client.GetStream(), leaveOpen: true);
                    while (await request.ReadLineAsync(stop.Token) is { Length: > 0 })
                    {
                    }

                    await client.GetStream().WriteAsync("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n[{\"key\":"u8.ToArray(), stop.Token);
                }
            },
            Stop);
        var services = new ServiceCollection().AddDapr(options => options.HttpEndpoint = new Uri($"http://127.0.0.1:{port}")).BuildServiceProvider();

        var state = services.GetRequiredService<DaprStateClient>();
        await Assert.ThrowsAsync<DaprStateException>(() => state.GetStateAsync("s", "k", TestJson.Default.String, cancellationToken: Stop));
        await Assert.ThrowsAsync<DaprStateException>(() => state.GetBulkStateAsync("s", ["k"], TestJson.Default.String, cancellationToken: Stop));
        await Assert.ThrowsAsync<DaprPublishException>(() => services.GetRequiredService<DaprPublisher>().PublishEventAsync("p", "t", 1, TestJson.Default.Int32, cancellationToken: Stop));
        await Assert.ThrowsAsync<DaprSidecarException>(() => services.GetRequiredService<DaprSidecar>().GetMetadataAsync(Stop));
        await Assert.ThrowsAsync<DaprActorException>(() => services.GetRequiredService<Platform.Dapr.Actors.ActorProxyFactory>().CreateActorProxy("T", "1").InvokeMethodAsync("m", TestJson.Default.Int32, Stop));
        var invocation = await Assert.ThrowsAsync<DaprInvocationException>(() => services.GetRequiredService<DaprInvoker>().InvokeMethodAsync(HttpMethod.Get, "a", "m", TestJson.Default.Int32, Stop));
        Assert.Equal(("a", "m", true), (invocation.AppId, invocation.Method, invocation.IsTransport));

        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => half);
        await services.DisposeAsync();
    }

    [Fact]
    public async Task Transaction_OfTheClient_IsAllOrNothing()
    {
        await using var cluster = await TestCluster.OpenAsync();
        var state = (await cluster.StartAsync("app")).Services.GetRequiredService<DaprStateClient>();
        await state.SaveStateAsync("statestore", "old", 1, TestJson.Default.Int32, cancellationToken: Stop);

        await state.ExecuteStateTransactionAsync("statestore", [StateTransactionRequest.Upsert("new", "two", TestJson.Default.String), StateTransactionRequest.Delete("old")], Stop);
        var refused = await Assert.ThrowsAsync<DaprStateException>(() => state.ExecuteStateTransactionAsync(
            "statestore", [StateTransactionRequest.Upsert("new", "three", TestJson.Default.String), StateTransactionRequest.Delete("new", etag: "99")], Stop));

        Assert.Equal("ERR_STATE_TRANSACTION", refused.ErrorCode);
        Assert.Equal(("two", 0), (await state.GetStateAsync("statestore", "new", TestJson.Default.String, cancellationToken: Stop), await state.GetStateAsync("statestore", "old", TestJson.Default.Int32, cancellationToken: Stop)));
    }

    /// <summary>A body of unknown length that is sent as it comes.</summary>
    private sealed class Pieces(ChannelReader<byte[]> pieces) : HttpContent
    {
        protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context)
        {
            await foreach (var piece in pieces.ReadAllAsync(Stop))
            {
                await stream.WriteAsync(piece, Stop);
                await stream.FlushAsync(Stop);
            }
        }

        protected override bool TryComputeLength(out long length)
        {
            length = 0;
            return false;
        }
    }
}
