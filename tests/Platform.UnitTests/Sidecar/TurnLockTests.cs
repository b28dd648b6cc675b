using Platform.Local.Sidecar.Actors;

namespace Platform.UnitTests.Sidecar;

public sealed class TurnLockTests
{
    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Turns_AreTakenInTheOrderOfTheirAsking()
    {
        var turns = new TurnLock();
        await turns.EnterAsync(null, 1, Stop);
        var order = new List<int>();
        var waiting = Enumerable.Range(0, 5).Select(async i =>
        {
            await turns.EnterAsync(null, 1, Stop);
            order.Add(i);
            turns.Exit();
        }).ToList();

        Assert.Empty(order);
        turns.Exit();
        await Task.WhenAll(waiting);

        Assert.Equal([0, 1, 2, 3, 4], order);
        Assert.True(turns.IsIdle);
    }

    [Fact]
    public async Task Waiter_ThatGivesUp_LeavesTheQueue()
    {
        var turns = new TurnLock();
        await turns.EnterAsync(null, 1, Stop);
        using var patience = new CancellationTokenSource();
        var impatient = turns.EnterAsync(null, 1, patience.Token).AsTask();
        var patient = turns.EnterAsync(null, 1, Stop).AsTask();

        await patience.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => impatient);
        turns.Exit();

        Assert.True(await patient);
        turns.Exit();
        Assert.True(turns.IsIdle);
    }

    [Fact]
    public async Task Chain_EntersAgainUpToItsDepth_OthersWait()
    {
        var turns = new TurnLock();
        Assert.True(await turns.EnterAsync("chain", 2, Stop));
        var other = turns.EnterAsync("other", 2, Stop).AsTask();

        Assert.True(await turns.EnterAsync("chain", 2, Stop));
        Assert.False(await turns.EnterAsync("chain", 2, Stop));
        turns.Exit();
        Assert.False(other.IsCompleted);
        turns.Exit();

        Assert.True(await other);
    }
}
