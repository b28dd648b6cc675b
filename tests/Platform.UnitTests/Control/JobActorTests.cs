using Platform.Control.Jobs;
using Platform.Jobs;

namespace Platform.UnitTests.Control;

public sealed class JobActorTests
{
    private static readonly JobResult Result = new("jobs/j/results-1.jsonl", 2, 10);
    private readonly ControlHarness _control = new();

    [Fact]
    public async Task Submit_Twice_ChangesNothing()
    {
        var first = await _control.JobAsync("j", job => job.Submit(ControlHarness.Spec()));
        var writes = _control.Sidecar.Writes;
        var second = await _control.JobAsync("j", job => job.Submit(ControlHarness.Spec() with { Id = "j" }));

        Assert.Equal(SubmitOutcome.Created, first.Outcome);
        Assert.Equal(SubmitOutcome.AlreadyKnown, second.Outcome);
        Assert.Equal(writes, _control.Sidecar.Writes);
        Assert.Equal(JobState.Queued, _control.Index["j"].State);
    }

    [Fact]
    public async Task Submit_LabelsInAnotherOrder_IsTheSameRequest()
    {
        var spec = ControlHarness.Spec();
        await _control.JobAsync("j", job => job.Submit(spec with { Labels = new Dictionary<string, string> { ["a"] = "1", ["b"] = "2" } }));

        var again = await _control.JobAsync("j", job => job.Submit(spec with { Labels = new Dictionary<string, string> { ["b"] = "2", ["a"] = "1" } }));

        Assert.Equal(SubmitOutcome.AlreadyKnown, again.Outcome);
    }

    [Fact]
    public async Task Submit_AnotherSpecUnderTheSameId_IsAConflict()
    {
        await _control.JobAsync("j", job => job.Submit(ControlHarness.Spec()));

        var other = await _control.JobAsync("j", job => job.Submit(ControlHarness.Spec() with { MaxTokens = 7 }));

        Assert.Equal(SubmitOutcome.Conflict, other.Outcome);
        Assert.Equal(32, (await _control.GetAsync("j"))!.Spec.MaxTokens);
    }

    [Fact]
    public async Task Get_UnknownJob_IsNull()
    {
        Assert.Null(await _control.GetAsync("nobody"));
        Assert.Null(await _control.JobAsync("nobody", job => job.Cancel()));
        Assert.Null(await _control.JobAsync("nobody", job => job.Dispatch()));
        Assert.False((await _control.JobAsync("nobody", job => job.Heartbeat(new LeaseReport { Token = 1, Worker = "worker-0" }))).Accepted);
        Assert.Equal(0, _control.Sidecar.Writes);
    }

    [Fact]
    public async Task Job_RunsToTheEnd_WithOneAttempt()
    {
        await RunningAsync();
        await _control.JobAsync("j", job => job.Heartbeat(_control.LastReport(progress: new JobProgress(1, 2))));
        var answer = await _control.JobAsync("j", job => job.Complete(_control.LastReport(Result)));
        await _control.FireReminderAsync("j");

        var status = (await _control.GetAsync("j"))!;
        Assert.True(answer.Accepted);
        Assert.Equal(JobState.Succeeded, status.State);
        Assert.Equal(Result, status.Result);
        Assert.Equal(new JobProgress(2, 2), status.Progress);
        Assert.Equal("succeeded", Assert.Single(status.Attempts).Outcome);
        Assert.Equal(JobState.Succeeded, _control.Index["j"].State);
        Assert.Empty(_control.Sidecar.Reminders);
    }

    [Fact]
    public async Task Ledger_OfEveryAttempt_SumsToItsLease()
    {
        _control.Hear("worker-1");
        await _control.JobAsync("j", job => job.Submit(ControlHarness.Spec()));
        _control.Time.Advance(TimeSpan.FromMilliseconds(700));
        _control.Hear("worker-0");
        await _control.JobAsync("j", job => job.Dispatch());
        await _control.JobAsync("j", job => job.Started(_control.LastReport()));
        await _control.JobAsync("j", job => job.Heartbeat(_control.LastReport() with { StagingMs = 90_000, LoadingMs = 5 }));
        await LoseLeaseAsync();
        await _control.JobAsync("j", job => job.Started(_control.LastReport()));
        _control.Time.Advance(TimeSpan.FromMilliseconds(1234));
        await _control.JobAsync("j", job => job.Complete(_control.LastReport(Result) with { StagingMs = 200, LoadingMs = 30 }));

        var attempts = (await _control.GetAsync("j"))!.Attempts;
        Assert.All(attempts, attempt => Assert.Equal((attempt.EndedAt!.Value - attempt.PlacedAt).TotalMilliseconds, attempt.Ledger!.LeaseMs));
        Assert.Equal([700L, 0L], attempts.Select(attempt => attempt.Ledger!.QueuedMs));
        Assert.Equal((attempts[0].Ledger!.LeaseMs, 0L, 0L, 0L), (attempts[0].Ledger!.IdleWarmMs, attempts[0].Ledger!.StagingMs, attempts[0].Ledger!.LoadingMs, attempts[0].Ledger!.BusyMs));
        Assert.Equal((200L, 30L), (attempts[1].Ledger!.StagingMs, attempts[1].Ledger!.LoadingMs));
    }

    [Fact]
    public async Task Complete_SaidTwice_IsAcceptedTwiceAndCountsOnce()
    {
        await RunningAsync();
        await _control.JobAsync("j", job => job.Complete(_control.LastReport(Result)));

        var again = await _control.JobAsync("j", job => job.Complete(_control.LastReport(Result)));

        Assert.True(again.Accepted);
        Assert.Single((await _control.GetAsync("j"))!.Attempts);
    }

    [Fact]
    public async Task Worker_ThatComesBackLate_IsRefusedByItsToken()
    {
        await RunningAsync();
        var late = _control.LastReport(Result);
        await LoseLeaseAsync();

        Assert.Equal(2, _control.Offers.Count);
        Assert.True(_control.Offers[1].Request.Token > late.Token);
        Assert.False((await _control.JobAsync("j", job => job.Heartbeat(late))).Accepted);
        Assert.False((await _control.JobAsync("j", job => job.Complete(late))).Accepted);
        Assert.False((await _control.JobAsync("j", job => job.Fail(late))).Accepted);
        Assert.Equal(JobState.Placed, (await _control.GetAsync("j"))!.State);
    }

    [Fact]
    public async Task Lease_Lost_GoesToAnotherNodeAtOnce()
    {
        _control.Hear("worker-1");
        await RunningAsync();

        await LoseLeaseAsync();

        var status = (await _control.GetAsync("j"))!;
        Assert.Equal(["worker-0", "worker-1"], status.Attempts.Select(attempt => attempt.Worker));
        Assert.Equal("lost", status.Attempts[0].Outcome);
        Assert.Equal(ErrorCodes.LeaseLost, status.Attempts[0].Failure!.Code);
    }

    [Fact]
    public async Task Lease_HeartbeatsArrive_IsNotLost()
    {
        await RunningAsync();
        for (var i = 0; i < 20; i++)
        {
            _control.Time.Advance(TimeSpan.FromSeconds(1));
            await _control.JobAsync("j", job => job.Heartbeat(_control.LastReport()));
            await _control.FireReminderAsync("j");
        }

        Assert.Equal(JobState.Running, (await _control.GetAsync("j"))!.State);
        Assert.Single(_control.Offers);
    }

    [Fact]
    public async Task Lease_ControlItselfWasPaused_GetsItsFullTimeOnceMore()
    {
        await RunningAsync();
        await _control.FireReminderAsync("j");
        _control.Time.Advance(TimeSpan.FromMinutes(5));
        await _control.FireReminderAsync("j");
        Assert.Equal(JobState.Running, (await _control.GetAsync("j"))!.State);

        await LoseLeaseAsync();
        Assert.Equal("lost", (await _control.GetAsync("j"))!.Attempts[0].Outcome);
    }

    [Fact]
    public async Task Lease_WorkerRestartedUnderTheSameName_IsLostAtOnce()
    {
        await RunningAsync();
        _control.Hear("worker-0", instance: "2");

        await _control.FireReminderAsync("j");

        Assert.Equal("lost", (await _control.GetAsync("j"))!.Attempts[0].Outcome);
        Assert.Equal(2, _control.Offers.Count);
    }

    [Fact]
    public async Task Attempts_AllLost_IsDeadLettered()
    {
        await RunningAsync(maxAttempts: 2);
        await LoseLeaseAsync();
        await _control.JobAsync("j", job => job.Started(_control.LastReport()));
        await LoseLeaseAsync();

        var status = (await _control.GetAsync("j"))!;
        Assert.Equal(JobState.DeadLettered, status.State);
        Assert.Equal(2, status.Attempts.Count);
        Assert.Equal(ErrorCodes.LeaseLost, status.Failure!.Code);
    }

    [Fact]
    public async Task Fail_Retryable_WaitsLongerEachTime()
    {
        await RunningAsync();
        var waits = new List<TimeSpan>();
        for (var attempt = 1; attempt < 3; attempt++)
        {
            await _control.JobAsync("j", job => job.Fail(_control.LastReport(failure: new JobFailure(ErrorCodes.Internal, "no luck", true))));
            var failedAt = _control.Time.GetUtcNow();
            while (_control.Offers.Count == attempt)
            {
                _control.Time.Advance(TimeSpan.FromSeconds(0.5));
                _control.Hear("worker-0");
                await _control.FireReminderAsync("j");
            }

            waits.Add(_control.Time.GetUtcNow() - failedAt);
            await _control.JobAsync("j", job => job.Started(_control.LastReport()));
        }

        Assert.Equal([TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(2)], waits);
    }

    [Fact]
    public async Task Fail_NotRetryable_EndsTheJob()
    {
        await RunningAsync();
        var failure = new JobFailure(ErrorCodes.ObjectNotFound, "no such input", false);

        await _control.JobAsync("j", job => job.Fail(_control.LastReport(failure: failure)));

        var status = (await _control.GetAsync("j"))!;
        Assert.Equal(JobState.Failed, status.State);
        Assert.Equal(failure, status.Failure);
    }

    [Theory]
    [InlineData(JobState.Queued)]
    [InlineData(JobState.Placed)]
    [InlineData(JobState.Running)]
    [InlineData(JobState.Succeeded)]
    [InlineData(JobState.Failed)]
    [InlineData(JobState.DeadLettered)]
    [InlineData(JobState.Cancelled)]
    public async Task Cancel_InEveryState_EndsWhatHasNotEnded(JobState state)
    {
        await BringToAsync(state);

        var status = (await _control.JobAsync("j", job => job.Cancel()))!;

        Assert.Equal(JobTransitions.IsTerminal(state) ? state : JobState.Cancelled, status.State);
        if (_control.Offers.Count > 0)
        {
            var answer = await _control.JobAsync("j", job => job.Heartbeat(_control.LastReport()));
            Assert.False(answer.Accepted);
            Assert.Equal(status.State == JobState.Cancelled, answer.Cancel);
            Assert.Equal(status.State == JobState.Succeeded, (await _control.JobAsync("j", job => job.Complete(_control.LastReport(Result)))).Accepted);
        }
    }

    [Theory]
    [InlineData(JobState.Queued)]
    [InlineData(JobState.Placed)]
    [InlineData(JobState.Running)]
    public async Task Deadline_Passed_FailsTheJob(JobState state)
    {
        await BringToAsync(state, deadlineSeconds: 60);
        for (var second = 0; second < 61; second++)
        {
            _control.Time.Advance(TimeSpan.FromSeconds(1));
            if (state != JobState.Queued)
            {
                await _control.JobAsync("j", job => job.Heartbeat(_control.LastReport()));
            }

            await _control.FireReminderAsync("j");
        }

        var status = (await _control.GetAsync("j"))!;
        Assert.Equal(JobState.Failed, status.State);
        Assert.Equal(ErrorCodes.DeadlineExceeded, status.Failure!.Code);
    }

    [Fact]
    public async Task Dispatch_WorkerDeclines_TakesTheNextOneAndCountsOneAttempt()
    {
        _control.Hear("worker-0");
        _control.Hear("worker-1");
        _control.AnswerOffer = (worker, _) => new RunAnswer(worker == "worker-1", "busy");
        await _control.JobAsync("j", job => job.Submit(ControlHarness.Spec()));

        var status = (await _control.JobAsync("j", job => job.Dispatch()))!;

        var attempt = Assert.Single(status.Attempts);
        Assert.Equal(("worker-1", 1, 2L), (attempt.Worker, attempt.Number, attempt.Token));
    }

    [Fact]
    public async Task Dispatch_NobodyAccepts_WaitsAndUsesNoAttempt()
    {
        _control.Hear("worker-0");
        _control.AnswerOffer = (_, _) => new RunAnswer(false, "worker-0 does not answer");
        await _control.JobAsync("j", job => job.Submit(ControlHarness.Spec(maxAttempts: 1)));

        var status = (await _control.JobAsync("j", job => job.Dispatch()))!;

        Assert.Equal(JobState.Queued, status.State);
        Assert.Empty(status.Attempts);
        Assert.Contains("worker-0 has just declined it", status.Reason, StringComparison.Ordinal);
        Assert.Equal(["j"], _control.Waiting.Take(10).Select(job => job.Id));
    }

    [Fact]
    public async Task Dispatch_WorkerNeverStarts_UsesNoAttempt()
    {
        await BringToAsync(JobState.Placed);

        await LoseLeaseAsync();

        var status = (await _control.GetAsync("j"))!;
        Assert.Equal(2, _control.Offers.Count);
        Assert.Equal((1, 2L), (Assert.Single(status.Attempts).Number, status.Attempts[0].Token));
    }

    [Fact]
    public async Task Dispatch_ModelUnknown_FailsAtOnce()
    {
        _control.Model = null;
        _control.Hear("worker-0");
        await _control.JobAsync("j", job => job.Submit(ControlHarness.Spec()));

        var status = (await _control.JobAsync("j", job => job.Dispatch()))!;

        Assert.Equal((JobState.Failed, ErrorCodes.ModelNotFound), (status.State, status.Failure!.Code));
    }

    [Fact]
    public async Task Dispatch_NoNodeCouldEverTakeIt_FailsAtOnceWithTheReason()
    {
        _control.Hear("worker-0", capacity: 999);
        await _control.JobAsync("j", job => job.Submit(ControlHarness.Spec()));

        var status = (await _control.JobAsync("j", job => job.Dispatch()))!;

        Assert.Equal((JobState.Failed, ErrorCodes.NoWorker), (status.State, status.Failure!.Code));
        Assert.Contains("worker-0 has 999 bytes for models and 'tiny' needs 1000", status.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Dispatch_OneSlotTwoJobs_OffersOne()
    {
        _control.Hear("worker-0");
        await _control.JobAsync("a", job => job.Submit(ControlHarness.Spec()));
        await _control.JobAsync("b", job => job.Submit(ControlHarness.Spec()));

        await _control.JobAsync("a", job => job.Dispatch());
        await _control.JobAsync("b", job => job.Dispatch());

        Assert.Equal("a", Assert.Single(_control.Offers).Request.JobId);
        Assert.Equal(JobState.Queued, (await _control.GetAsync("b"))!.State);
    }

    [Fact]
    public async Task Dispatch_Placed_NoLongerWaits()
    {
        await _control.JobAsync("j", job => job.Submit(ControlHarness.Spec()));
        await _control.JobAsync("j", job => job.Dispatch());
        Assert.Equal(("3600s", "3600s"), (Reminder().DueTime, Reminder().Period));

        _control.Hear("worker-0");
        await _control.JobAsync("j", job => job.Dispatch());

        Assert.Empty(_control.Waiting.Take(10));
        Assert.Equal(("1s", "1s"), (Reminder().DueTime, Reminder().Period));

        (string DueTime, string? Period) Reminder() => _control.Sidecar.Reminders["JobActor/j/lease"];
    }

    [Fact]
    public async Task Index_Away_IsToldLater()
    {
        _control.IndexFails = true;
        await RunningAsync();
        await _control.JobAsync("j", job => job.Complete(_control.LastReport(Result)));
        await _control.FireReminderAsync("j");
        Assert.Empty(_control.Index);
        Assert.NotEmpty(_control.Sidecar.Reminders);

        _control.IndexFails = false;
        _control.Restart();
        await _control.FireReminderAsync("j");

        Assert.Equal(JobState.Succeeded, _control.Index["j"].State);
        Assert.Empty(_control.Sidecar.Reminders);
    }

    private async Task RunningAsync(int maxAttempts = 3)
    {
        _control.Hear("worker-0");
        await _control.JobAsync("j", job => job.Submit(ControlHarness.Spec(maxAttempts)));
        await _control.JobAsync("j", job => job.Dispatch());
        await _control.JobAsync("j", job => job.Started(_control.LastReport()));
    }

    /// <summary>The nodes live, but the job's worker says nothing about it.</summary>
    private async Task LoseLeaseAsync()
    {
        for (var second = 0; second < 4; second++)
        {
            _control.Time.Advance(TimeSpan.FromSeconds(1));
            foreach (var node in _control.Nodes.Views())
            {
                _control.Hear(node.Worker);
            }

            await _control.FireReminderAsync("j");
        }
    }

    private async Task BringToAsync(JobState state, int? deadlineSeconds = null)
    {
        if (state != JobState.Queued)
        {
            _control.Hear("worker-0");
        }

        await _control.JobAsync("j", job => job.Submit(ControlHarness.Spec(maxAttempts: 1) with { DeadlineSeconds = deadlineSeconds }));
        await _control.JobAsync("j", job => job.Dispatch());
        if (state is JobState.Queued or JobState.Placed)
        {
            return;
        }

        await _control.JobAsync("j", job => job.Started(_control.LastReport()));
        switch (state)
        {
            case JobState.Succeeded:
                await _control.JobAsync("j", job => job.Complete(_control.LastReport(Result)));
                break;
            case JobState.Failed:
                await _control.JobAsync("j", job => job.Fail(_control.LastReport(failure: new JobFailure(ErrorCodes.Internal, "no", false))));
                break;
            case JobState.DeadLettered:
                await _control.JobAsync("j", job => job.Fail(_control.LastReport(failure: new JobFailure(ErrorCodes.Internal, "no", true))));
                break;
            case JobState.Cancelled:
                await _control.JobAsync("j", job => job.Cancel());
                break;
        }

        Assert.Equal(state, (await _control.GetAsync("j"))!.State);
    }
}
