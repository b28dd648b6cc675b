using Platform.Local.FunctionsHost.Http;
using Platform.Local.FunctionsHost.Invocations;

namespace Platform.UnitTests.FunctionsHost;

public sealed class CallDeadlineTests
{
    [Fact]
    public void Start_CallerGoes_EndsThisCallAndNoneAfterIt()
    {
        using var caller = new CancellationTokenSource();
        using (var call = CallDeadline.Start(TimeSpan.FromMinutes(4), caller.Token))
        {
            caller.Cancel();
            Assert.True(call.Token.IsCancellationRequested);
        }

        using var next = CallDeadline.Start(TimeSpan.FromMinutes(4), CancellationToken.None);
        Assert.False(next.Token.IsCancellationRequested);
    }

    [Fact]
    public void Dispose_CallerGoesLater_LeavesTheCallThatHasTheSourceNow()
    {
        using var caller = new CancellationTokenSource();
        CallDeadline.Start(TimeSpan.FromMinutes(4), caller.Token).Dispose();

        // More than one, because other tests of this process may rent meanwhile.
        var others = Enumerable.Range(0, 16).Select(_ => CallDeadline.Start(TimeSpan.FromMinutes(4), CancellationToken.None)).ToList();
        caller.Cancel();

        Assert.DoesNotContain(others, other => other.Token.IsCancellationRequested);
        others.ForEach(other => other.Dispose());
    }

    [Fact]
    public async Task Start_TimeIsOver_EndsTheCall()
    {
        using var call = CallDeadline.Start(TimeSpan.Zero, CancellationToken.None);

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => Task.Delay(Timeout.Infinite, call.Token));
    }

    [Fact]
    public void Next_ManyIds_AreDistinctRandomUuids()
    {
        var ids = Enumerable.Range(0, 1000).Select(_ => InvocationIds.Next()).ToList();

        Assert.Equal(1000, ids.Distinct(StringComparer.Ordinal).Count());
        Assert.All(ids, id => Assert.Matches("^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$", id));
    }
}
