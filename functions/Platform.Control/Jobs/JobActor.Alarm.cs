using Platform.Jobs;

namespace Platform.Control.Jobs;

/// <summary>The alarm: when a job must look at itself again though nobody calls it.</summary>
internal sealed partial class JobActor
{
    private const string ReminderName = "lease";
    private (TimeSpan Due, TimeSpan Period)? _armed;

    public async Task ReceiveReminderAsync(string reminderName, byte[] state, TimeSpan dueTime, TimeSpan period)
    {
        var job = await LoadAsync();
        if (job is not null)
        {
            if (job.Current() is null)
            {
                // A waiting job's next check depends on what it waits for; the alarm goes on by itself only while a worker holds the job.
                _armed = null;
            }

            job = await AdvanceAsync(job);
            await IndexAsync(job);
        }

        if (job is not null && JobTransitions.IsTerminal(job.State))
        {
            job = await PayAsync(job);
        }

        if (job is null || (JobTransitions.IsTerminal(job.State) && _indexedVersion == job.Version && NextDebt(job) is null))
        {
            await UnregisterReminderAsync(ReminderName);
            _armed = null;
        }
        else if (JobTransitions.IsTerminal(job.State) && _indexedVersion == job.Version)
        {
            await ArmAsync(job, Store.Spec);
        }
    }

    /// <summary>The time, never before anything that the job has seen: another process's clock may have been ahead.</summary>
    private DateTimeOffset Now(JobRecord job) => JobMoves.Later(job, time.GetUtcNow());

    /// <summary>What is left of the wait between two attempts; zero if there is none. Never more than the longest there is, whatever the clock was when it began.</summary>
    private TimeSpan BackOff(JobRecord job)
    {
        var left = job.NotBefore is { } notBefore ? notBefore - time.GetUtcNow() : TimeSpan.Zero;
        return left > TimeSpan.Zero && left <= RetryDelayPolicy.Longest(Store.Spec.Retry, _options) ? left : TimeSpan.Zero;
    }

    /// <summary>Sets the reminder to the time at which the job must look at itself again.</summary>
    private async Task ArmAsync(JobRecord job, JobSpec spec)
    {
        var now = Now(job);
        var (due, period) = job.Current() is not null ? (_options.LeaseCheck, _options.LeaseCheck)
            : JobTransitions.IsTerminal(job.State) ? ((NextDebt(job) ?? now) - now, _options.QueueCheck)
            : job.Array is not null ? (_options.ArrayCheck, _options.ArrayCheck)
            : BackOff(job) is var wait && wait > TimeSpan.Zero ? (wait, _options.QueueRecheck)
            : (nodes.IsSettled ? _options.QueueRecheck : _options.QueueCheck, _options.QueueRecheck);

        if (!JobTransitions.IsTerminal(job.State) && spec.DeadlineSeconds is { } seconds && job.SubmittedAt.AddSeconds(seconds) - now < due)
        {
            due = job.SubmittedAt.AddSeconds(seconds) - now;
        }

        due = due < TimeSpan.FromMilliseconds(1) ? TimeSpan.FromMilliseconds(1) : due;
        if (_armed != (due, period))
        {
            // If this fails, the next turn takes the job up again.
            var wasTakenUp = _isTakenUp;
            _isTakenUp = false;
            await RegisterReminderAsync(ReminderName, null, due, period);
            (_armed, _isTakenUp) = ((due, period), wasTakenUp);
        }
    }
}
