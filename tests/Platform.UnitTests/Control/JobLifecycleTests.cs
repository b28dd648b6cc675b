using System.Net;
using System.Security.Cryptography;
using System.Text;
using Platform.Control.Jobs;
using Platform.Control.Placement;
using Platform.Jobs;

namespace Platform.UnitTests.Control;

/// <summary>Arrays, webhooks, time to live, hand-back, retry policy, priority, resources: what a job is beside its leases.</summary>
public sealed class JobLifecycleTests
{
    private static readonly string Secret = Convert.ToBase64String("a secret of 24 bytes....."u8);
    private readonly ControlHarness _control = new();

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Array_Children_AreOpenedWithinTheLimitAndCounted()
    {
        await SubmitAsync(ControlHarness.Spec() with { Array = new JobArray { Size = 5, Parallelism = 2 } });

        Assert.Equal((JobState.Running, 2, 0), await ArrayAsync());
        await EndChildAsync(1, JobState.Succeeded);
        await EndChildAsync(1, JobState.Succeeded);
        Assert.Equal((JobState.Running, 3, 1), await ArrayAsync());
        await EndChildAsync(0, JobState.Succeeded);
        await EndChildAsync(2, JobState.Succeeded);
        await EndChildAsync(3, JobState.Succeeded);
        await EndChildAsync(4, JobState.Succeeded);

        var status = (await _control.GetAsync("j"))!;
        Assert.Equal((JobState.Succeeded, 5, 50L), (status.State, status.Result!.Items, status.Result.Tokens));
        Assert.Equal(new JobProgress(5, 5), status.Progress);
    }

    [Fact]
    public async Task Array_ChildrenFail_FailsWithTheirIndexes()
    {
        await SubmitAsync(ControlHarness.Spec() with { Array = new JobArray { Size = 3 } });
        await EndChildAsync(2, JobState.DeadLettered);
        await EndChildAsync(0, JobState.Failed);
        await EndChildAsync(1, JobState.Succeeded);

        var status = (await _control.GetAsync("j"))!;
        Assert.Equal((JobState.Failed, ErrorCodes.ArrayFailed), (status.State, status.Failure!.Code));
        Assert.Equal([0, 2], status.Array!.FailedIndexes);
    }

    [Fact]
    public async Task Array_Cancelled_OwesTheEndOfItsChildrenUntilAllHaveTold()
    {
        await SubmitAsync(ControlHarness.Spec() with { Array = new JobArray { Size = 3, Parallelism = 2 } });

        await _control.JobAsync("j", job => job.Cancel());
        await _control.FireReminderAsync("j");
        Assert.NotEmpty(_control.Sidecar.Reminders);
        await EndChildAsync(0, JobState.Cancelled);
        await EndChildAsync(1, JobState.Succeeded);
        await _control.FireReminderAsync("j");

        var status = (await _control.GetAsync("j"))!;
        Assert.Equal((JobState.Cancelled, 2, 1, 1), (status.State, status.Array!.Submitted, status.Array.Succeeded, status.Array.Cancelled));
        Assert.Empty(_control.Sidecar.Reminders);
    }

    [Fact]
    public async Task Webhook_OfTheEnd_IsSignedAsStandardWebhooksHasIt()
    {
        _control.Options.WebhookSecrets["default"] = "whsec_" + Secret;
        await SubmitAsync(ControlHarness.Spec() with { Webhook = new JobWebhook { Url = "http://hook.test/in" } }, dispatch: false);
        await _control.JobAsync("j", job => job.Cancel());
        await _control.FireReminderAsync("j");

        await _control.Errands.RunWaitingAsync(Cancelled);

        var (request, body) = Assert.Single(_control.WebhookAddress.Received);
        string Header(string name) => request.Headers.GetValues(name).Single();
        var expected = HMACSHA256.HashData(Convert.FromBase64String(Secret), (byte[])[.. Encoding.UTF8.GetBytes($"{Header("webhook-id")}.{Header("webhook-timestamp")}."), .. body]);
        Assert.Equal("v1," + Convert.ToBase64String(expected), Header("webhook-signature"));
        Assert.Contains("\"type\":\"job.cancelled\"", Encoding.UTF8.GetString(body), StringComparison.Ordinal);
        Assert.DoesNotContain("prompts", Encoding.UTF8.GetString(body), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Webhook_Failing_IsTriedAgainLaterEachTimeAndGivenUp()
    {
        _control.Options.WebhookTries = 3;
        await SubmitAsync(ControlHarness.Spec() with { Webhook = new JobWebhook { Url = "http://hook.test/in" } }, dispatch: false);
        await _control.JobAsync("j", job => job.Cancel());
        var gaps = new List<double>();
        var last = _control.Time.GetUtcNow();
        for (var tries = 1; tries <= 3; tries++)
        {
            while ((await _control.GetAsync("j"))!.Webhook!.Tries < tries)
            {
                _control.Time.Advance(TimeSpan.FromSeconds(1));
                await _control.FireReminderAsync("j");
            }

            gaps.Add((_control.Time.GetUtcNow() - last).TotalSeconds);
            last = _control.Time.GetUtcNow();
            await _control.JobAsync("j", job => job.WebhookTried(new WebhookReport(tries, "The address answered 500.")));
        }

        await _control.FireReminderAsync("j");
        var webhook = (await _control.GetAsync("j"))!.Webhook!;
        Assert.Equal([1.0, 15.0, 20.0], gaps);
        Assert.Equal((3, null, null, "The address answered 500."), (webhook.Tries, webhook.DeliveredAt, webhook.NextAt, webhook.LastError));
        Assert.Empty(_control.Sidecar.Reminders);
    }

    [Fact]
    public async Task Webhook_ThatNeverAnswers_HoldsNoTurnAndEndsByItsTimeout()
    {
        _control.Options.WebhookSecrets["default"] = Secret;
        _control.WebhookAddress.Answer = async token =>
        {
            await Task.Delay(Timeout.InfiniteTimeSpan, token);
            return HttpStatusCode.OK;
        };
        await SubmitAsync(ControlHarness.Spec() with { Webhook = new JobWebhook { Url = "http://hook.test/in" } }, dispatch: false);
        var status = (await _control.JobAsync("j", job => job.Cancel()))!;
        await _control.FireReminderAsync("j");

        using var sender = new WebhookSender(_control.WebhookAddress, _control.Time, Microsoft.Extensions.Options.Options.Create(_control.Options));
        var sending = sender.SendAsync(status, Cancelled);
        Assert.Equal(JobState.Cancelled, (await _control.GetAsync("j"))!.State);
        while (!sending.IsCompleted)
        {
            _control.Time.Advance(_control.Options.WebhookTimeout);
            await Task.Yield();
        }

        Assert.Equal("The address did not answer within 10 s.", await sending);
    }

    [Fact]
    public async Task TimeToLive_Passed_RemovesObjectsRowAndState()
    {
        await SubmitAsync(ControlHarness.Spec() with { TtlSeconds = 60 });
        await _control.JobAsync("j", job => job.Cancel());
        await _control.FireReminderAsync("j");
        Assert.NotNull((await _control.GetAsync("j"))!.ExpiresAt);

        _control.Time.Advance(TimeSpan.FromSeconds(61));
        await _control.FireReminderAsync("j");
        Assert.NotNull(await _control.GetAsync("j"));

        // No node lives that could delete the objects; the next check finds one.
        _control.Hear("worker-0");
        await _control.FireReminderAsync("j");
        Assert.Null(await _control.GetAsync("j"));
        Assert.Equal(["j"], _control.Forgotten);
        Assert.Empty(_control.Index);
        Assert.Empty(_control.Sidecar.Reminders);
        Assert.Equal(0, _control.Sidecar.StateValues);
    }

    [Fact]
    public async Task Return_ByAStoppingNode_UsesNoAttemptAndKeepsItsLedger()
    {
        _control.Hear("worker-0");
        await SubmitAsync(ControlHarness.Spec(maxAttempts: 1));
        await _control.JobAsync("j", job => job.Started(_control.LastReport()));
        _control.Time.Advance(TimeSpan.FromMilliseconds(300));

        var answer = await _control.JobAsync("j", job => job.Return(_control.LastReport() with { Reason = "the node stops" }));

        var status = (await _control.GetAsync("j"))!;
        Assert.True(answer.Accepted);
        Assert.Equal((JobState.Queued, "returned", 300L), (status.State, status.Attempts[0].Outcome, status.Attempts[0].Ledger!.LeaseMs));
        _control.Hear("worker-0");
        await _control.JobAsync("j", job => job.Dispatch());
        await _control.JobAsync("j", job => job.Started(_control.LastReport()));
        await _control.JobAsync("j", job => job.Fail(_control.LastReport(failure: new JobFailure(ErrorCodes.Internal, "no luck", true))));
        Assert.Equal(JobState.DeadLettered, (await _control.GetAsync("j"))!.State);
    }

    [Fact]
    public async Task Fail_WithAFinalExitCode_EndsTheJobAtOnce()
    {
        _control.Hear("worker-0");
        await SubmitAsync(ControlHarness.Spec() with { Retry = new JobRetryPolicy { FinalExitCodes = [2] } });
        await _control.JobAsync("j", job => job.Started(_control.LastReport()));

        await _control.JobAsync("j", job => job.Fail(_control.LastReport(failure: new JobFailure(ErrorCodes.CommandFailed, "exit 2", true) { ExitCode = 2 })));

        var status = (await _control.GetAsync("j"))!;
        Assert.Equal((JobState.Failed, 2), (status.State, status.Failure!.ExitCode));
    }

    [Fact]
    public async Task Dispatch_ALaterJobOfHigherPriority_GoesFirst()
    {
        await SubmitAsync(ControlHarness.Spec(), "low");
        await SubmitAsync(ControlHarness.Spec() with { Priority = 5 }, "high");
        _control.Hear("worker-0");

        await _control.JobAsync("low", job => job.Dispatch());
        Assert.Empty(_control.Offers);
        Assert.Contains("Waits for its turn", (await _control.GetAsync("low"))!.Reason, StringComparison.Ordinal);
        await _control.JobAsync("high", job => job.Dispatch());

        Assert.Equal("high", Assert.Single(_control.Offers).Request.JobId);
    }

    [Fact]
    public async Task Dispatch_AHigherPriorityThatNoFreeSlotHelps_LetsOthersPass()
    {
        Hear("worker-0", maxJobs: 2, devices: 1, freeDevices: 0);
        await SubmitAsync(ControlHarness.Spec() with { Priority = 9, Resources = new JobResources { Devices = 1 } }, "stuck");

        await SubmitAsync(ControlHarness.Spec(), "small");

        Assert.Equal("small", Assert.Single(_control.Offers).Request.JobId);
        Assert.Contains("worker-0 has 0 device(s) free and the job takes 1", (await _control.GetAsync("stuck"))!.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Dispatch_MoreThanAnyNodeHas_FailsAtOnceWithTheReasonPerNode()
    {
        Hear("worker-0", devices: 1);
        Hear("worker-1", devices: 2);

        await SubmitAsync(ControlHarness.Spec() with { Resources = new JobResources { Devices = 4 } });

        var status = (await _control.GetAsync("j"))!;
        Assert.Equal((JobState.Failed, ErrorCodes.NoWorker), (status.State, status.Failure!.Code));
        Assert.Contains("worker-0 has 1 device(s) and the job takes 4; worker-1 has 2 device(s) and the job takes 4", status.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Dispatch_ExecThatNoNodeAllows_FailsAtOnceAndSaysHowToAllowIt()
    {
        Hear("worker-0", kinds: [JobKinds.BatchInfer]);

        await SubmitAsync(new JobSpec { Kind = JobKinds.Exec, Command = ["true"] });

        var status = (await _control.GetAsync("j"))!;
        Assert.Equal((JobState.Failed, ErrorCodes.ExecDisabled), (status.State, status.Failure!.Code));
        Assert.Contains("Worker:ExecEnabled", status.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Dispatch_MustWait_HasItsBytesStagedOnceWhereItWillRun()
    {
        _control.Hear("worker-0", running: 1);
        await SubmitAsync(ControlHarness.Spec());
        await _control.JobAsync("j", job => job.Dispatch());

        await _control.Errands.RunWaitingAsync(Cancelled);

        var (worker, request) = Assert.Single(_control.Prefetches);
        Assert.Equal(("worker-0", "j", "tiny"), (worker, request.JobId, request.Model!.Name));
    }

    [Fact]
    public async Task Dispatch_MustWaitAndAnObjectDoesNotExist_FailsWithoutItsTurn()
    {
        Hear("worker-0", running: 1);
        await SubmitAsync(new JobSpec { Kind = JobKinds.Exec, Command = ["true"], Artifacts = new Dictionary<string, string> { ["in/a"] = "a" } });
        await _control.Errands.RunWaitingAsync(Cancelled);
        Assert.Equal("in/a", Assert.Single(Assert.Single(_control.Prefetches).Request.Artifacts));

        var status = (await _control.JobAsync("j", job => job.ObjectsMissing(new MissingObjects(["in/a", "in/b"], "/objects"))))!;

        Assert.Equal((JobState.Failed, ErrorCodes.ObjectNotFound), (status.State, status.Failure!.Code));
        Assert.Equal("'in/a', 'in/b' are not in object storage (/objects). Put them there, then submit the job again.", status.Failure.Message);
        Assert.Empty(_control.Waiting.Take(1));
    }

    [Theory]
    [InlineData(60, "10s")]
    [InlineData(3, "2999ms")]
    public async Task Deadline_InTheQueue_IsAlarmedInTimeAlsoAfterTheFirstCheck(int deadline, string firstAlarm)
    {
        _control.Options.Settle = TimeSpan.FromSeconds(3);
        _control.Options.QueueCheck = TimeSpan.FromSeconds(10);
        Hear("worker-0", running: 1);
        await SubmitAsync(ControlHarness.Spec() with { DeadlineSeconds = deadline });
        Assert.Equal(firstAlarm, _control.Sidecar.Reminders["JobActor/j/lease"].DueTime);

        _control.Time.Advance(TimeSpan.FromSeconds(Math.Min(10, deadline)));
        Hear("worker-0", running: 1);
        await _control.FireReminderAsync("j");

        if (deadline > 10)
        {
            Assert.Equal("49999ms", _control.Sidecar.Reminders["JobActor/j/lease"].DueTime);
            _control.Time.Advance(TimeSpan.FromSeconds(50));
            await _control.FireReminderAsync("j");
        }

        Assert.Equal(ErrorCodes.DeadlineExceeded, (await _control.GetAsync("j"))!.Failure!.Code);
    }

    [Theory]
    [InlineData(0, "3600s")]
    [InlineData(60, "5s")]
    public async Task Wait_OnNodesThatAreKnown_HasOneAlarmAnHourAndNotOneSoon(int settle, string alarm)
    {
        _control.Options.Settle = TimeSpan.FromSeconds(settle);
        Hear("worker-0", running: 1);

        await SubmitAsync(ControlHarness.Spec());

        Assert.Equal((alarm, "3600s"), _control.Sidecar.Reminders["JobActor/j/lease"]);
    }

    [Fact]
    public async Task Clock_OfTheNextProcessIsBehind_NoLedgerIsNegativeAndNoBackOffIsEndless()
    {
        Hear("worker-0");
        _control.Time.Advance(TimeSpan.FromHours(3));
        Hear("worker-0");
        await SubmitAsync(ControlHarness.Spec());
        await _control.JobAsync("j", job => job.Started(_control.LastReport()));
        _control.Time.Shift(TimeSpan.FromHours(-1));
        _control.Restart();
        Hear("worker-0");
        await _control.JobAsync("j", job => job.Fail(_control.LastReport(failure: new JobFailure(ErrorCodes.Internal, "no", true))));
        _control.Time.Shift(TimeSpan.FromHours(-1));
        _control.Restart();
        Hear("worker-0");

        await _control.JobAsync("j", job => job.Dispatch());

        var job = (await _control.GetAsync("j"))!;
        Assert.Equal((JobState.Placed, 2), (job.State, job.Attempts.Count));
        Assert.Equal(job.Attempts[0].EndedAt!.Value - job.Attempts[0].PlacedAt, TimeSpan.FromMilliseconds(job.Attempts[0].Ledger!.LeaseMs));
        Assert.True(job.SubmittedAt <= job.Attempts[0].PlacedAt && job.Attempts[0].EndedAt <= job.Attempts[1].PlacedAt);
    }

    [Fact]
    public async Task Holds_ManyPlacementsAtOnce_NeverGiveADeviceTwice()
    {
        Hear("worker-0", maxJobs: 64, devices: 5);

        var held = (await Task.WhenAll(Enumerable.Range(0, 64).Select(_ => Task.Run(() => _control.Nodes.TryHoldSlot("worker-0", new JobNeeds(1, 0, 0, 0)), Cancelled)))).Where(slot => slot is not null).ToArray();

        Assert.Equal(5, held.Length);
        held[0]!.Accept("a", 1);
        Hear("worker-0", maxJobs: 64, devices: 5, leases: new Dictionary<string, long> { ["other"] = 9 });
        Assert.Null(_control.Nodes.TryHoldSlot("worker-0", new JobNeeds(1, 0, 0, 0)));
        Hear("worker-0", maxJobs: 64, devices: 5, freeDevices: 4, running: 1, leases: new Dictionary<string, long> { ["a"] = 1 });
        Assert.Null(_control.Nodes.TryHoldSlot("worker-0", new JobNeeds(1, 0, 0, 0)));
        held[1]!.Dispose();
        Assert.NotNull(_control.Nodes.TryHoldSlot("worker-0", new JobNeeds(1, 0, 0, 0)));
    }

    [Fact]
    public async Task Ledger_WithANodePrice_IsRoundedUpOncePerAttemptAndSumsUp()
    {
        Hear("worker-0", price: 1_000_000);
        await SubmitAsync(ControlHarness.Spec());
        await _control.JobAsync("j", job => job.Started(_control.LastReport()));
        _control.Time.Advance(TimeSpan.FromMilliseconds(1001));
        await _control.JobAsync("j", job => job.Fail(_control.LastReport(failure: new JobFailure(ErrorCodes.Internal, "no luck", true))));

        var ledger = (await _control.GetAsync("j"))!.Attempts[0].Ledger!;
        Assert.Equal(279, ledger.CostMicros); // 1001 ms of a million per hour are 278.06.
        Assert.Equal((1L, 279L, 1001L), (_control.Index["j"].Usage!.Attempts, _control.Index["j"].Usage!.CostMicros, _control.Index["j"].Usage!.LeaseMs));
    }

    [Fact]
    public async Task Usage_ByEachKey_IsTheSumOfTheRowsAlsoOfRemovedOnes()
    {
        var rows = Enumerable.Range(0, 200).Select(Row).ToArray();
        foreach (var row in rows)
        {
            await _control.IndexAsync(index => RecordAsync(index, row));
        }

        foreach (var row in rows.Where((_, i) => i % 3 == 0))
        {
            await _control.IndexAsync(index => RemoveAsync(index, row));
            await _control.IndexAsync(index => RemoveAsync(index, row));
        }

        var whole = rows.Aggregate(new UsageTotals(), (sum, row) => sum + row.Usage!);
        foreach (var by in UsageKeys.All)
        {
            var usage = await _control.IndexAsync(index => index.Usage(new UsageRequest(by, null)));
            Assert.Equal(whole, usage.Total);
            Assert.Equal(whole, usage.Rows.Aggregate(new UsageTotals(), (sum, row) => sum + row.Totals));
        }

        Assert.Equal(["", "blue", "red"], (await _control.IndexAsync(index => index.Usage(new UsageRequest(UsageKeys.Tenant, null)))).Rows.Select(row => row.Key));
        var left = await _control.IndexAsync(index => index.List(new JobListRequest(null, 500, null)));
        Assert.Equal(133, left.Jobs.Count);
        var red = await _control.IndexAsync(index => index.List(new JobListRequest(null, 500, null) { Labels = new Dictionary<string, string> { ["tenant"] = "red" }, Kind = "exec", Since = rows[100].SubmittedAt }));
        Assert.Equal(rows.Where((row, i) => i >= 100 && i % 3 != 0 && row.Kind == "exec" && row.Labels?["tenant"] == "red").Select(row => row.Id).Reverse(), red.Jobs.Select(row => row.Id));
    }

    private JobSummary Row(int i) => new($"j{i}", i % 2 == 0 ? JobKinds.Exec : JobKinds.BatchInfer, JobState.Succeeded, 1, _control.Time.GetUtcNow() + TimeSpan.FromHours(i), null)
    {
        Version = 1,
        Labels = i % 5 == 0 ? null : new Dictionary<string, string> { ["tenant"] = i % 5 < 3 ? "red" : "blue" },
        Usage = new UsageTotals { Jobs = 1, Attempts = 1, BusyMs = i * 7, StagingMs = i, CostMicros = i * 11, Tokens = i },
    };

    private static async Task<bool> RecordAsync(IJobIndexActor index, JobSummary row)
    {
        await index.Record([row]);
        return true;
    }

    private static async Task<bool> RemoveAsync(IJobIndexActor index, JobSummary row)
    {
        await index.Remove(row);
        return true;
    }

    private async Task SubmitAsync(JobSpec spec, string id = "j", bool dispatch = true)
    {
        await _control.JobAsync(id, job => job.Submit(spec));
        _control.Time.Advance(TimeSpan.FromMilliseconds(1));
        if (dispatch)
        {
            await _control.JobAsync(id, job => job.Dispatch());
        }
    }

    private async Task<(JobState State, int Submitted, int Succeeded)> ArrayAsync()
    {
        var status = (await _control.GetAsync("j"))!;
        return (status.State, status.Array!.Submitted, status.Array.Succeeded);
    }

    private Task<JobStatus?> EndChildAsync(int index, JobState state) => _control.JobAsync("j", job => job.ChildEnded(new ChildReport(index, state, 10)));

    private void Hear(string worker, int running = 0, int maxJobs = 1, int devices = 0, int? freeDevices = null, string[]? kinds = null, long price = 0, Dictionary<string, long>? leases = null) => _control.Nodes.Hear(new NodeHeartbeat
    {
        Worker = worker,
        InstanceId = "1",
        ProcessId = 1,
        Device = "test",
        DeviceCapacityBytes = 1 << 20,
        DeviceFreeBytes = 1 << 20,
        Models = new Dictionary<string, ModelResidency>(),
        CachedBytes = new Dictionary<string, long>(),
        InFlight = 0,
        RunningJobs = running,
        MaxJobs = maxJobs,
        Devices = devices,
        FreeDevices = freeDevices ?? devices,
        Kinds = kinds,
        PriceMicrosPerHour = price,
        Leases = leases,
    });
}
