using System.Text.Json;
using Platform.Jobs;

namespace Platform.UnitTests.Control;

/// <summary>How the indexes of an array end with it: cancelled with it, and removed with it, for it may have to ask again how they ended.</summary>
public sealed class JobArrayEndTests
{
    private static readonly JobArrayMember First = new("j", 0, 3);
    private readonly ControlHarness _control = new();
    private readonly List<string> _asked = [];

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Children_HaveNoTimeToLiveOfTheirOwn()
    {
        string? child = null;
        _control.Sidecar.AnswerTurn = (_, _) => JsonSerializer.Serialize(new SubmitAnswer(SubmitOutcome.Created, Ended("j-0")), JobsJson.Default.SubmitAnswer);
        _control.Sidecar.SeeTurn = (id, method, body) => child = (id, method) == ("j-0", "Submit") ? body : child;

        await SubmitArrayAsync();
        await _control.Errands.RunWaitingAsync(Cancelled);

        var spec = JsonSerializer.Deserialize(child!, JobsJson.Default.JobSpec)!;
        Assert.Equal((null, First), (spec.TtlSeconds, spec.Member));
    }

    [Fact]
    public async Task Parent_Expired_RemovesItsChildrenBeforeItself()
    {
        var stays = "j-2";
        _control.Sidecar.AnswerTurn = (id, method) =>
        {
            _asked.Add($"{method} {id}");
            return method == "Forget" && id == stays ? JsonSerializer.Serialize(Ended(id), JobsJson.Default.JobStatus) : "null";
        };
        await SubmitArrayAsync();
        for (var index = 0; index < 3; index++)
        {
            await _control.JobAsync("j", job => job.ChildEnded(new ChildReport(index, JobState.Succeeded, 1)));
        }

        _control.Hear("worker-0");
        _control.Time.Advance(TimeSpan.FromSeconds(11));
        _control.Hear("worker-0");
        await _control.FireReminderAsync("j");
        Assert.Equal(JobState.Succeeded, (await _control.GetAsync("j"))!.State);
        Assert.Empty(_control.Forgotten);

        stays = "";
        await _control.FireReminderAsync("j");
        Assert.Null(await _control.GetAsync("j"));
        Assert.Equal(["j"], _control.Forgotten);
        Assert.Equal(["Forget j-0", "Forget j-1", "Forget j-2"], _asked.Where(call => call.StartsWith("Forget", StringComparison.Ordinal)).Distinct().Order(StringComparer.Ordinal));
        Assert.Equal(0, _control.Sidecar.StateValues);
    }

    [Fact]
    public async Task Child_Ended_IsRemovedAtTheWordOfItsParentAlone()
    {
        _control.Hear("worker-0");
        await _control.JobAsync("j-0", job => job.Submit(ControlHarness.Spec() with { Member = First }));
        await _control.JobAsync("other", job => job.Submit(ControlHarness.Spec()));
        await _control.JobAsync("j-0-retry-1", job => job.Submit(ControlHarness.Spec() with { Member = First, RetryOf = "j-0" }));
        foreach (var id in (string[])["j-0", "other", "j-0-retry-1"])
        {
            await _control.JobAsync(id, job => job.Cancel());
            Assert.Null(await _control.JobAsync(id, job => job.Forget(First with { Parent = "k" })));
            Assert.Null(await _control.JobAsync(id, job => job.Forget(First)));
        }

        Assert.Equal(["j-0"], _control.Forgotten);
        Assert.Null(await _control.GetAsync("j-0"));
        Assert.NotNull(await _control.GetAsync("other"));
        Assert.NotNull(await _control.GetAsync("j-0-retry-1"));
    }

    [Theory]
    [InlineData(SubmitOutcome.Created, "Submit j-0, Cancel j-0, ChildEnded j")]
    [InlineData(SubmitOutcome.Conflict, "Submit j-0, ChildEnded j")]
    public async Task Cancel_OfTheParent_LeavesNoChildToBeginLaterAndNoOtherJobCancelled(SubmitOutcome outcome, string asked)
    {
        await SubmitArrayAsync();
        await _control.Errands.RunWaitingAsync(Cancelled); // The submissions of the children are lost.
        _control.Sidecar.AnswerTurn = (id, method) =>
        {
            _asked.Add($"{method} {id}");
            return method == "Submit" ? JsonSerializer.Serialize(new SubmitAnswer(outcome, Ended(id)), JobsJson.Default.SubmitAnswer) : "null";
        };

        await _control.JobAsync("j", job => job.Cancel());
        await _control.Errands.RunWaitingAsync(Cancelled);

        Assert.Equal(asked, string.Join(", ", _asked.Take(asked.Split(',').Length)));
        Assert.Equal(3, _asked.Count(call => call == "ChildEnded j"));
    }

    [Fact]
    public async Task Repetition_OfAChild_SaysNothingToTheParent()
    {
        _control.Sidecar.AnswerTurn = (id, method) =>
        {
            _asked.Add($"{method} {id}");
            return "null";
        };
        await _control.JobAsync("j-0-retry-1", job => job.Submit(ControlHarness.Spec() with { Member = First, RetryOf = "j-0" }));

        await _control.JobAsync("j-0-retry-1", job => job.Cancel());
        await _control.Errands.RunWaitingAsync(Cancelled);

        Assert.DoesNotContain("ChildEnded j", _asked);
    }

    private static JobStatus Ended(string id) => new() { Id = id, Spec = ControlHarness.Spec(), State = JobState.Cancelled, SubmittedAt = DateTimeOffset.UnixEpoch };

    private async Task SubmitArrayAsync()
    {
        await _control.JobAsync("j", job => job.Submit(ControlHarness.Spec() with { TtlSeconds = 10, Array = new JobArray { Size = 3 } }));
        await _control.JobAsync("j", job => job.Dispatch());
    }
}
