using Platform.Dapr;
using Platform.Jobs;

namespace Platform.Control.Jobs;

/// <summary>What a job owes after its end: the ends of its children, its webhook, its removal.</summary>
internal sealed partial class JobActor
{
    private static readonly TimeSpan LongestWebhookDelay = TimeSpan.FromHours(1);

    public async Task<JobStatus?> WebhookTried(WebhookReport report)
    {
        if (await LoadAsync() is not { Webhook: { } webhook } job)
        {
            return null;
        }

        metrics.WebhookTried(report.Error is null);
        JobLog.WebhookTried(logger, JobId, report.Try, report.Error ?? "delivered.");
        if (webhook.DeliveredAt is null)
        {
            var isLast = report.Try >= _options.WebhookTries;
            webhook = report.Error is null
                ? webhook with { DeliveredAt = time.GetUtcNow(), NextAt = null, LastError = null }
                : webhook with { LastError = report.Error, NextAt = isLast ? null : webhook.NextAt };
            job = job with { Webhook = webhook };
            await SaveAsync(job);
        }

        return job.ToStatus(Store.Spec);
    }

    public async Task<TidyAnswer?> Tidy()
    {
        if (await LoadAsync() is not { } job || !JobTransitions.IsTerminal(job.State) || nodes.Views().FirstOrDefault(node => node.Alive) is not { } node)
        {
            return null;
        }

        var answer = await workers.TidyAsync(node.Worker, JobId, job is { State: JobState.Succeeded, Attempts.Count: > 0 } ? job.Attempts[^1].Token : null, CancellationToken.None);
        if (answer is { Objects: > 0 })
        {
            JobLog.Tidied(logger, JobId, answer.Objects, answer.LengthBytes);
        }

        return answer;
    }

    /// <summary>When the next debt of an ended job falls due; null if it owes nothing.</summary>
    private DateTimeOffset? NextDebt(JobRecord job)
    {
        DateTimeOffset? next = job.Webhook?.NextAt;
        if (job.ExpiresAt is { } expires && (next is null || expires < next))
        {
            next = expires;
        }

        var check = Now(job) + _options.ArrayCheck;
        return job.Array is { Open.Count: > 0 } && (next is null || check < next) ? check : next;
    }

    /// <summary>Pays what is due now.</summary>
    /// <returns>The job as it stands; null if it is no more.</returns>
    private async Task<JobRecord?> PayAsync(JobRecord job)
    {
        var now = Now(job);
        if (job.Array is { Open: { Count: > 0 } open })
        {
            CancelChildren(open);
        }

        if (job.Webhook is { NextAt: { } next } && next <= now)
        {
            job = await TryWebhookAsync(job, now);
        }

        if (job.ExpiresAt is not { } expires || expires > now || job.Array is { Open.Count: > 0 })
        {
            return job;
        }

        job = job.Array is null ? job : await ForgetChildrenAsync(job);
        return job.Array is { } children && children.Forgotten < children.Submitted ? job : await RemoveAsync(job);
    }

    /// <summary>Decides on a delivery, durably, and has it made outside of the turn: an address that never answers holds nothing here.</summary>
    private async Task<JobRecord> TryWebhookAsync(JobRecord job, DateTimeOffset now)
    {
        var number = job.Webhook!.Tries + 1;
        var delay = _options.WebhookDelay * Math.Pow(2, Math.Min(number - 1, 20));
        var next = now + (delay < LongestWebhookDelay ? delay : LongestWebhookDelay) + _options.WebhookTimeout;
        job = job with { Webhook = job.Webhook with { Tries = number, NextAt = number < _options.WebhookTries ? next : null } };
        await SaveAsync(job);
        var status = job.ToStatus(Store.Spec);
        errands.Add($"Delivery {number} of the webhook of {JobId}", async token =>
        {
            var report = new WebhookReport(number, await webhooks.SendAsync(status, token));
            await actors.CreateActorProxy(AppIds.JobActor, status.Id).InvokeMethodAsync(nameof(IJobActor.WebhookTried), report, JobsJson.Default.WebhookReport, token);
        });
        return job;
    }

    /// <summary>Objects first, then the row, then the state, which is what says that anything is left to remove.</summary>
    private async Task<JobRecord?> RemoveAsync(JobRecord job)
    {
        if (nodes.Views().FirstOrDefault(node => node.Alive) is not { } node || !await workers.ForgetAsync(node.Worker, JobId, CancellationToken.None))
        {
            return job;
        }

        try
        {
            await index.RemoveAsync(job.ToSummary(Store.Spec), CancellationToken.None);
        }
        catch (Exception fault) when (fault is DaprException or OperationCanceledException)
        {
            JobLog.NotIndexed(logger, JobId, fault.Message);
            return job;
        }

        await Store.RemoveAsync();
        JobLog.Expired(logger, JobId);
        return null;
    }
}
