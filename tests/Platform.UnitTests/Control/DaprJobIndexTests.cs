using Platform.Control.Jobs;
using Platform.Dapr;
using Platform.Dapr.Actors;
using Platform.Dapr.Http;
using Platform.Jobs;

namespace Platform.UnitTests.Control;

/// <summary>The way of rows to the index actor: many in one call, and a removal never before the row that it removes.</summary>
public sealed class DaprJobIndexTests
{
    private static readonly JobSummary Row = new("j", JobKinds.Exec, JobState.Succeeded, 1, DateTimeOffset.UnixEpoch, DateTimeOffset.UnixEpoch) { Version = 1 };
    private readonly FakeTimeProvider _time = new();
    private readonly InMemorySidecar _sidecar = new();
    private readonly List<string> _calls = [];
    private int _failures;

    public DaprJobIndexTests() => _sidecar.AnswerTurn = (_, method) =>
    {
        lock (_calls)
        {
            _calls.Add(method);
            return _failures-- > 0 ? throw new HttpRequestException("away") : "null";
        }
    };

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Remove_WhileTheRowStillWaits_ComesAfterIt()
    {
        var index = Create();
        var recorded = index.RecordLaterAsync(Row, Cancelled);

        await index.RemoveAsync(Row, Cancelled);

        await recorded;
        Assert.Equal(["Record", "Remove"], _calls);
    }

    [Fact]
    public async Task Remove_WhileTheRowFails_IsNotFollowedByTheRow()
    {
        _failures = 1;
        var index = Create();
        var recorded = index.RecordLaterAsync(Row, Cancelled);
        var removed = index.RemoveAsync(Row, Cancelled);

        await removed;

        await Assert.ThrowsAnyAsync<DaprException>(() => recorded);
        Assert.Equal(["Record", "Remove"], _calls);
    }

    [Fact]
    public async Task Remove_ThatFails_IsToldToTheCaller()
    {
        _failures = 1;

        await Assert.ThrowsAnyAsync<DaprException>(() => Create().RemoveAsync(Row, Cancelled));
    }

    private DaprJobIndex Create() => new(new ActorProxyFactory(new SidecarClient(new DaprOptions(), _sidecar)), _time);
}
