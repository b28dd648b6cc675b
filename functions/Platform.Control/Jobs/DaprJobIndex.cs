using Platform.Dapr.Actors;
using Platform.Jobs;

namespace Platform.Control.Jobs;

/// <summary>Records rows with the index actor. Rows that come while a call is under way share the next one, so that many jobs cost few commits.</summary>
internal sealed class DaprJobIndex(ActorProxyFactory actors, TimeProvider time) : IJobIndex
{
    private const int MaxRows = 256;
    private const int MaxTries = 5;
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(5);

    /// <summary>How long a row that nobody waits for waits for others: without it, every second submission would find the disk busy with the row of the one before.</summary>
    private static readonly TimeSpan Gather = TimeSpan.FromMilliseconds(20);
    private readonly Lock _lock = new();
    private readonly Queue<Entry> _waiting = [];
    private TaskCompletionSource _hurry = NewSignal();
    private bool _isSending;

    public Task RecordAsync(JobSummary summary, CancellationToken cancellationToken) => Add(new Entry(summary, MaxTries), cancellationToken);

    public Task RecordLaterAsync(JobSummary summary, CancellationToken cancellationToken) => Add(new Entry(summary, 1), cancellationToken);

    public Task RemoveAsync(JobSummary summary, CancellationToken cancellationToken) => Add(new Entry(summary, MaxTries) { IsRemoval = true }, cancellationToken);

    private Task Add(Entry entry, CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            _waiting.Enqueue(entry);
            if (entry.IsLastTry)
            {
                _hurry.TrySetResult();
            }

            if (!_isSending)
            {
                _isSending = true;
                _ = Task.Run(SendAllAsync, CancellationToken.None);
            }
        }

        return entry.Done.Task.WaitAsync(cancellationToken);
    }

    private async Task SendAllAsync()
    {
        while (true)
        {
            Task hurry;
            lock (_lock)
            {
                if (_waiting.Count == 0)
                {
                    _isSending = false;
                    return;
                }

                hurry = _hurry.Task;
            }

            await Task.WhenAny(hurry, Task.Delay(Gather, time));
            await SendAsync(Take());
        }
    }

    private List<Entry> Take()
    {
        lock (_lock)
        {
            // A removal goes alone, and after every row that came before it.
            var batch = new List<Entry>();
            while (batch.Count < MaxRows && _waiting.TryPeek(out var next) && !(next.IsRemoval && batch.Count > 0))
            {
                batch.Add(_waiting.Dequeue());
                if (next.IsRemoval)
                {
                    break;
                }
            }

            if (_waiting.Count == 0)
            {
                _hurry = NewSignal();
            }

            return batch;
        }
    }

    private async Task SendAsync(List<Entry> batch)
    {
        // Turns wait for this: a stuck index must not hold jobs.
        using var timeout = new CancellationTokenSource(Timeout, time);
        try
        {
            await SendAsync(batch, timeout.Token);
            batch.ForEach(entry => entry.Done.SetResult());
        }
        catch (Exception fault)
        {
            lock (_lock)
            {
                foreach (var entry in batch)
                {
                    if (entry.IsLastTry || _waiting.Any(later => later.IsRemoval && later.Row.Id == entry.Row.Id))
                    {
                        entry.Done.SetException(fault);
                    }
                    else
                    {
                        entry.Try++;
                        _waiting.Enqueue(entry);
                    }
                }
            }
        }
    }

    private Task SendAsync(List<Entry> batch, CancellationToken cancellationToken)
    {
        if (batch is [{ IsRemoval: true, Row: var removed }])
        {
            return Index().InvokeMethodAsync(nameof(IJobIndexActor.Remove), removed, JobsJson.Default.JobSummary, cancellationToken);
        }

        List<JobSummary> rows = [.. batch.Select(entry => entry.Row).GroupBy(row => row.Id).Select(versions => versions.MaxBy(row => row.Version)!)];
        return Index().InvokeMethodAsync(nameof(IJobIndexActor.Record), rows, JobsJson.Default.ListJobSummary, cancellationToken);
    }

    private ActorProxy Index() => actors.CreateActorProxy(AppIds.JobIndexActor, AppIds.IndexActorId);

    private static TaskCompletionSource NewSignal() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    private sealed class Entry(JobSummary row, int firstTry)
    {
        public JobSummary Row => row;

        public bool IsRemoval { get; init; }

        /// <summary>A row that a turn waits for has one try: the turn decides what follows.</summary>
        public int Try { get; set; } = firstTry;

        public bool IsLastTry => Try >= MaxTries;

        public TaskCompletionSource Done { get; } = NewSignal();
    }
}
