using System.Net.ServerSentEvents;
using System.Text;
using Microsoft.AspNetCore.Http;
using Platform.Dapr;
using Platform.Functions.Http;
using Platform.Jobs;

namespace Platform.UnitTests.Functions;

public sealed class JobLogStreamTests
{
    private readonly FakeTimeProvider _time = new();
    private readonly System.Collections.Concurrent.ConcurrentDictionary<int, string> _logs = new();
    private readonly Queue<Action> _steps = [];
    private JobStatus _job = Job(JobState.Running, Attempt(1, null));

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Stream_OverTwoAttempts_SendsEachLineOnceAndTheEnd()
    {
        _logs[1] = "one\ntwo\nhal";
        _steps.Enqueue(() => _logs[1] += "f\n");
        _steps.Enqueue(() => _job = Job(JobState.Running, Attempt(1, "lost"), Attempt(2, null)));
        _steps.Enqueue(() => _logs[2] = "again\n");
        _steps.Enqueue(() => _logs[2] += "last words");
        _steps.Enqueue(() => _job = Job(JobState.Succeeded, Attempt(1, "lost"), Attempt(2, "succeeded")));

        var items = await FollowAsync(new LogPosition(1, 0));

        Assert.Equal(["one", "two", "half", "{\"attempt\":2,\"worker\":\"worker-0\"}", "again", "last words", "{\"state\":\"Succeeded\",\"reason\":\"done\"}"], items.Select(item => item.Data));
        Assert.Equal(["1:4", "1:8", "1:13", "2:0", "2:6", "2:16", "2:16"], items.Select(item => item.EventId));
        Assert.Equal(["attempt", "end"], items.Where(item => item.EventType != "message").Select(item => item.EventType));
    }

    [Fact]
    public async Task Stream_FromAnEventId_GoesOnAfterIt()
    {
        _logs[1] = "one\ntwo\n";
        _job = Job(JobState.Succeeded, Attempt(1, "succeeded"));

        Assert.True(LogPosition.TryParse("1:4", out var position));
        var items = await FollowAsync(position);

        Assert.Equal(["two", "{\"state\":\"Succeeded\",\"reason\":\"done\"}"], items.Select(item => item.Data));
    }

    [Fact]
    public async Task Stream_LogThatNobodyHas_GoesOnWithTheNextAttempt()
    {
        _logs[2] = "alive\n";
        _job = Job(JobState.Succeeded, Attempt(1, "lost"), Attempt(2, "succeeded"));

        var items = await FollowAsync(new LogPosition(1, 0));

        Assert.Equal(["attempt", "message", "end"], items.Select(item => item.EventType));
    }

    [Fact]
    public async Task Stream_ControlAway_Waits()
    {
        _logs[1] = "one\n";
        _job = Job(JobState.Succeeded, Attempt(1, "succeeded"));
        var failures = 3;

        var items = await FollowAsync(new LogPosition(1, 0), () => failures-- > 0 ? throw new DaprActorException("away") : _job);

        Assert.Equal("end", items[^1].EventType);
    }

    [Theory]
    [InlineData("")]
    [InlineData("7")]
    [InlineData("0:1")]
    [InlineData("1:-1")]
    [InlineData("a:b")]
    public void Position_OfNonsense_IsNone(string text) => Assert.False(LogPosition.TryParse(text, out _));

    private async Task<List<SseItem<string>>> FollowAsync(LogPosition start, Func<JobStatus>? find = null)
    {
        var stream = new JobLogStream(
            _ => Task.FromResult<JobStatus?>(find is null ? _job : find()),
            (attempt, offset, _) => Task.FromResult(_logs.TryGetValue(attempt.Number, out var log) ? Encoding.UTF8.GetBytes(log)[(int)offset..] : null),
            start,
            _time);
        var context = new DefaultHttpContext();
        using var body = new MemoryStream();
        context.Response.Body = body;
        var running = stream.ExecuteAsync(context);
        while (!running.IsCompleted)
        {
            // The stream waits for the clock: whatever there was to read is read.
            if (_steps.TryDequeue(out var step))
            {
                step();
            }

            _time.Advance(TimeSpan.FromMilliseconds(200));
            _time.Advance(TimeSpan.FromMilliseconds(200));
            await Task.Yield();
        }

        await running;
        body.Position = 0;
        return await SseParser.Create(body).EnumerateAsync(Cancelled).ToListAsync(Cancelled);
    }

    private static JobAttempt Attempt(int number, string? outcome) => new() { Number = number, Token = number, Worker = "worker-0", PlacedAt = default, Outcome = outcome };

    private static JobStatus Job(JobState state, params JobAttempt[] attempts) => new()
    {
        Id = "j",
        Spec = new JobSpec { Kind = JobKinds.Exec },
        State = state,
        Reason = "done",
        SubmittedAt = default,
        Attempts = attempts,
    };
}
