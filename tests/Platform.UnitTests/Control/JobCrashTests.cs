using Platform.Dapr;
using Platform.Jobs;

namespace Platform.UnitTests.Control;

/// <summary>Control dies at every write of a job's life, before and after the write counts; the job must end once, with what was acknowledged.</summary>
public sealed class JobCrashTests
{
    public static TheoryData<int, bool> EveryWrite()
    {
        var data = new TheoryData<int, bool>();
        for (var write = 1; write <= 12; write++)
        {
            data.Add(write, false);
            data.Add(write, true);
        }

        return data;
    }

    [Theory]
    [MemberData(nameof(EveryWrite))]
    public async Task Control_DiesAtAWrite_TheJobEndsOnceAndNothingAcknowledgedIsLost(int write, bool applied)
    {
        var control = new ControlHarness();
        control.Options.QueueCheck = control.Options.QueueRecheck; // Nothing but the lease's own alarm looks after a placed job.
        control.Sidecar.FailAt = write;
        control.Sidecar.ApplyFailing = applied;
        var client = new Client(control);

        for (var second = 0; second < 60 && !client.IsDone; second++)
        {
            await client.StepAsync();
        }

        var status = (await control.GetAsync("j"))!;
        Assert.Equal(JobState.Succeeded, status.State);
        Assert.Equal(client.CommittedToken, status.Attempts[^1].Token);
        Assert.Equal($"results-{client.CommittedToken}", status.Result!.Key);
        Assert.True(status.Attempts.Count <= 3);
        Assert.Equal(status.Attempts.Select(attempt => attempt.Token).Order(), status.Attempts.Select(attempt => attempt.Token));
        Assert.Equal(Enumerable.Range(1, status.Attempts.Count), status.Attempts.Select(attempt => attempt.Number));
        Assert.Equal(JobState.Succeeded, control.Index["j"].State);
        Assert.Empty(control.Sidecar.Reminders);
    }

    /// <summary>A submitter that repeats until it is answered, a worker that repeats its reports, and a sidecar that fires reminders. A failed call restarts control.</summary>
    private sealed class Client(ControlHarness control)
    {
        private bool _submitted;
        private RunJobRequest? _lease;
        private bool _started;
        private bool _restarted;

        public long? CommittedToken { get; private set; }

        public bool IsDone => CommittedToken is not null && control.Sidecar.Reminders.Count == 0;

        public async Task StepAsync()
        {
            control.Time.Advance(TimeSpan.FromSeconds(1));
            control.Hear("worker-0");
            try
            {
                await StepOrCrashAsync();
            }
            catch (DaprException)
            {
                control.Restart();
                _restarted = true;
            }
        }

        private async Task StepOrCrashAsync()
        {
            if (!_submitted)
            {
                await control.JobAsync("j", job => job.Submit(ControlHarness.Spec()));
                _submitted = true;
                await control.JobAsync("j", job => job.Dispatch());
                return;
            }

            if (_restarted)
            {
                // What a new process does: it wakes the jobs that the index shows as queued. A turn that fails makes the sidecar repeat its reminder, too.
                _restarted = false;
                if (!control.Index.TryGetValue("j", out var row) || row.State == JobState.Queued)
                {
                    await control.JobAsync("j", job => job.Dispatch());
                }
            }

            if (control.Sidecar.Reminders.TryGetValue("JobActor/j/lease", out var reminder) && (reminder.DueTime != "3600s" || CommittedToken is not null))
            {
                await control.FireReminderAsync("j");
            }

            if (control.Offers.Count > 0 && control.Offers[^1].Request.Token != _lease?.Token)
            {
                (_lease, _started) = (control.Offers[^1].Request, false);
            }

            if (_lease is null || CommittedToken is not null)
            {
                return;
            }

            if (!_started)
            {
                _started = (await control.JobAsync("j", job => job.Started(control.LastReport()))).Accepted;
                return;
            }

            var answer = await control.JobAsync("j", job => job.Complete(control.LastReport(new JobResult($"results-{_lease.Token}", 2, 10))));
            if (answer.Accepted)
            {
                CommittedToken = _lease.Token;
            }
        }
    }

    [Fact]
    public async Task Submit_IsOneDurableWrite()
    {
        var control = new ControlHarness();

        await control.JobAsync("j", job => job.Submit(ControlHarness.Spec()));
        await control.JobAsync("j", job => job.Submit(ControlHarness.Spec()));

        Assert.Equal(1, control.Sidecar.Writes);
    }

    [Theory]
    [InlineData(null, 1)]
    [InlineData(60, 1)]
    [InlineData(60, 2)]
    public async Task Submit_DiesBeforeItIsDurable_LeavesNothingBehind(int? deadline, int write)
    {
        var control = new ControlHarness();
        control.Sidecar.FailAt = write; // With a deadline 1 is the reminder, 2 the state.
        await Assert.ThrowsAsync<DaprActorException>(() => control.JobAsync("j", job => job.Submit(ControlHarness.Spec() with { DeadlineSeconds = deadline })));
        control.Restart();

        await control.FireReminderAsync("j");

        Assert.Null(await control.GetAsync("j"));
        Assert.Equal((0, 0), (control.Sidecar.StateValues, control.Sidecar.Reminders.Count));
    }

    [Fact]
    public async Task Submit_DiesBeforeTheRowAndTheDispatch_IsTakenUpByWhoeverLooksNext()
    {
        var control = new ControlHarness { IndexFails = true };
        await control.JobAsync("j", job => job.Submit(ControlHarness.Spec()));
        control.Restart();
        control.IndexFails = false;

        await control.GetAsync("j");

        Assert.Equal(JobState.Queued, control.Index["j"].State);
        Assert.Equal("j", Assert.Single(control.Waiting.Take(10)).Id);
    }

    [Fact]
    public async Task Control_RestartsWhileAWorkerRuns_TheLeaseStartsAnewAndTheWorkerGoesOn()
    {
        var control = new ControlHarness();
        control.Hear("worker-0");
        await control.JobAsync("j", job => job.Submit(ControlHarness.Spec()));
        await control.JobAsync("j", job => job.Dispatch());
        await control.JobAsync("j", job => job.Started(control.LastReport()));

        control.Time.Advance(TimeSpan.FromMinutes(10));
        control.Restart();
        await control.FireReminderAsync("j");
        var answer = await control.JobAsync("j", job => job.Heartbeat(control.LastReport(progress: new JobProgress(1, 2))));

        Assert.True(answer.Accepted);
        Assert.Single(control.Offers);
    }
}
