using System.Net;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using Platform.Dapr;
using Platform.Dapr.Http;
using Platform.Functions.Routing;

namespace Platform.UnitTests.Functions;

public sealed class NodeTableCacheTests
{
    private readonly FakeTimeProvider _time = new();
    private readonly Control _control = new();
    private readonly NodeTableCache _cache;

    public NodeTableCacheTests() => _cache = new NodeTableCache(
        new DaprInvoker(new SidecarClient(new DaprOptions(), _control)), _time, Options.Create(new RouterOptions()), NullLogger<NodeTableCache>.Instance);

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Get_ByManyAtOnce_AsksControlOnce()
    {
        _control.Gate = new TaskCompletionSource();
        var tables = Enumerable.Range(0, 64).Select(_ => _cache.GetAsync(Cancel).AsTask()).ToList();

        _control.Gate.SetResult();
        await Task.WhenAll(tables);

        Assert.Equal(1, _control.Asked);
    }

    [Fact]
    public async Task Get_OfATableThatIsNew_AsksNobody()
    {
        await _cache.GetAsync(Cancel);
        _time.Advance(TimeSpan.FromMilliseconds(499));

        await _cache.GetAsync(Cancel);

        Assert.Equal(1, _control.Asked);
    }

    [Fact]
    public async Task Get_OfATableThatIsALittleOld_AnswersBeforeControlDoes()
    {
        await _cache.GetAsync(Cancel);
        _time.Advance(TimeSpan.FromSeconds(1));
        _control.Gate = new TaskCompletionSource();

        var table = await _cache.GetAsync(Cancel);

        Assert.Empty(table.Nodes);
        _control.Gate.SetResult();
    }

    [Fact]
    public async Task Get_WithControlAway_GivesTheOldTableHoweverOld()
    {
        var first = await _cache.GetAsync(Cancel);
        _time.Advance(TimeSpan.FromHours(1));
        _control.IsAway = true;

        Assert.Same(first, await _cache.GetAsync(Cancel));
        Assert.Equal(2, _control.Asked);
    }

    private sealed class Control : HttpMessageHandler
    {
        private int _asked;

        public int Asked => Volatile.Read(ref _asked);

        public bool IsAway { get; set; }

        public TaskCompletionSource? Gate { get; set; }

        protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            Interlocked.Increment(ref _asked);
            if (Gate is { } gate)
            {
                await gate.Task.WaitAsync(cancellationToken);
            }

            return IsAway
                ? throw new HttpRequestException("connection refused")
                : new HttpResponseMessage(HttpStatusCode.OK) { Content = new StringContent("""{"nodes":[]}""", null, "application/json") };
        }
    }
}
