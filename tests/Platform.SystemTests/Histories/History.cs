using System.Collections.Concurrent;
using System.Text.Json;
using Platform.Dapr;
using Platform.Jobs;

namespace Platform.SystemTests.Histories;

/// <summary>One seeded history: jobs and arrays of jobs, submitted more than once, late, or with their doorbell lost, now and then cancelled; everything that a client could see recorded and checked.</summary>
internal sealed class History(PlatformUnderTest platform, int seed)
{
    private const int Jobs = 2;
    private const int ManyAttempts = 20;
    private const int FewAttempts = 2;
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(90);
    private readonly Random _random = new(seed);
    private readonly ConcurrentQueue<string> _events = new();
    private readonly ConcurrentDictionary<string, JobStatus> _ends = new();
    private readonly ConcurrentDictionary<string, bool> _acknowledged = new();
    private readonly HashSet<string> _cancelled = [];
    private readonly List<string> _violations = [];
    private readonly Lock _lock = new();

    /// <summary>What every job of this history has used, once it has ended.</summary>
    public UsageTotals Usage => _ends.Values.Select(end => UsageTotals.Of(end.Attempts, end.Result)).OfType<UsageTotals>().Aggregate(new UsageTotals(), (sum, totals) => sum + totals);

    /// <summary>Runs the history and returns what was wrong with it; empty if nothing was.</summary>
    public async Task<IReadOnlyList<string>> RunAsync(CancellationToken cancellationToken)
    {
        var specs = Enumerable.Range(0, Jobs).Select(SpecOf).ToArray();
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var watchers = specs.Select(spec => WatchAsync(spec.Id!, stop.Token)).ToArray();
        var deliveries = specs.Select(spec => DeliverAsync(spec, _random.Next(1, 4), _random.Next(0, 1000), isDoorbellLost: _random.Next(4) == 0, cancellationToken)).ToArray();

        await CancelSomeAsync(specs, cancellationToken);
        await Task.WhenAll(deliveries);
        await platform.UntilAsync($"every job of seed {seed} ends: {string.Join(" | ", _events)}", Limit, async () =>
        {
            foreach (var spec in specs)
            {
                if (await platform.GetAsync(spec.Id!, cancellationToken) is not { } status || !JobTransitions.IsTerminal(status.State))
                {
                    return false;
                }
            }

            return true;
        }, cancellationToken);
        await stop.CancelAsync();
        await Task.WhenAll(watchers);
        foreach (var spec in specs)
        {
            await CheckEndAsync(spec, cancellationToken);
            if (spec.Array is not null)
            {
                await CheckIndexesAsync(spec, cancellationToken);
            }
        }

        return _violations.Count == 0 ? [] : [$"Seed {seed}:", .. _violations, .. _events];
    }

    private JobSpec SpecOf(int number)
    {
        var spec = new JobSpec { Id = $"h{seed}-{number}", Kind = JobKinds.Exec, MaxAttempts = _random.Next(6) == 0 ? FewAttempts : ManyAttempts, Priority = _random.Next(-1, 2), Labels = new Dictionary<string, string> { ["tenant"] = $"t{seed % 3}" } };
        return _random.Next(2) == 0
            ? spec with
            {
                Command = ["sh", "-c", $"sleep 0.{_random.Next(10)}; {(_random.Next(6) == 0 ? "[ $PLATFORM_ATTEMPT -gt 1 ] || exit 3; " : "")}echo $PLATFORM_ATTEMPT > {{output}}/attempt"],
                Array = _random.Next(4) == 0 ? new JobArray { Size = 3, Parallelism = 2 } : null,
            }
            : spec with { Kind = JobKinds.BatchInfer, Model = PlatformUnderTest.Model, Prompts = [.. Enumerable.Range(0, _random.Next(1, 20)).Select(i => $"item {i}")], MaxTokens = 32 };
    }

    /// <summary>What the queue does: the same message a few times, late, each time until it is taken. A lost doorbell means a job that is recorded and that nobody dispatches.</summary>
    private async Task DeliverAsync(JobSpec spec, int times, int delayMilliseconds, bool isDoorbellLost, CancellationToken cancellationToken)
    {
        for (var delivery = 0; delivery < times; delivery++)
        {
            await Task.Delay(delayMilliseconds, cancellationToken);
            await platform.UntilAsync($"{spec.Id} is taken", Limit, async () =>
            {
                var answer = await platform.SubmitAsync(spec, cancellationToken);
                Expect(answer.Outcome != SubmitOutcome.Conflict, $"{spec.Id}: the same spec was called a conflict.");
                _acknowledged[spec.Id!] = true;
                if (!isDoorbellLost)
                {
                    await platform.DispatchAsync(spec.Id!, cancellationToken);
                }

                return true;
            }, cancellationToken);
            _events.Enqueue($"{spec.Id} delivered{(isDoorbellLost ? ", its doorbell lost" : "")}");
        }
    }

    /// <summary>The user's word, now and then.</summary>
    private async Task CancelSomeAsync(JobSpec[] specs, CancellationToken cancellationToken)
    {
        foreach (var spec in specs.Where(_ => _random.Next(8) == 0).ToArray())
        {
            await Task.Delay(_random.Next(0, 2000), cancellationToken);
            _events.Enqueue($"cancel {spec.Id}");
            _cancelled.Add(spec.Id!);
            await platform.UntilAsync($"{spec.Id} takes the cancel", Limit, async () =>
            {
                await platform.Job(spec.Id!).InvokeMethodAsync("Cancel", cancellationToken);
                return true;
            }, cancellationToken);
        }
    }

    /// <summary>Looks at a job all the time, as an impatient client would.</summary>
    private async Task WatchAsync(string id, CancellationToken cancellationToken)
    {
        while (!cancellationToken.IsCancellationRequested)
        {
            try
            {
                var acknowledged = _acknowledged.ContainsKey(id);
                See(id, acknowledged, await platform.GetAsync(id, cancellationToken));
                await Task.Delay(250, cancellationToken);
            }
            catch (DaprException)
            {
                // Nobody answered: nothing was seen.
            }
            catch (OperationCanceledException)
            {
                return;
            }
        }
    }

    private void See(string id, bool acknowledged, JobStatus? status)
    {
        if (status is null)
        {
            Expect(!acknowledged, $"{id}: acknowledged, then unknown.");
            return;
        }

        Expect(Used(status) <= status.Spec.MaxAttempts, $"{id}: {Used(status)} of {status.Spec.MaxAttempts} attempts.");
        if (JobTransitions.IsTerminal(status.State))
        {
            var end = _ends.GetOrAdd(id, status);
            Expect((end.State, end.Result, end.EndedAt) == (status.State, status.Result, status.EndedAt), $"{id}: ended as {end.State} with {end.Result}, later seen as {status.State} with {status.Result}.");
        }
        else
        {
            Expect(!_ends.ContainsKey(id), $"{id}: ended, later seen as {status.State}.");
        }
    }

    private async Task CheckEndAsync(JobSpec spec, CancellationToken cancellationToken)
    {
        var id = spec.Id!;
        JobStatus? read = null;

        // Another history may have control killed just now.
        await platform.UntilAsync($"{id} can be read after its end", Limit, async () => (read = await platform.GetAsync(id, cancellationToken)) is not null, cancellationToken);
        var status = read!;
        See(id, true, status);
        Expect(
            status.State == JobState.Succeeded
            || (status.State == JobState.Cancelled && _cancelled.Contains(id))
            || (status.State == JobState.DeadLettered && Used(status) == spec.MaxAttempts && status.Result is null)
            || (status.State == JobState.Failed && status.Failure!.Code == ErrorCodes.ArrayFailed && status.Array!.Failed > 0),
            $"{id}: ended as {status.State}: {status.Reason}");
        Expect(status.Attempts.Select(attempt => attempt.Number).SequenceEqual(Enumerable.Range(1, status.Attempts.Count)), $"{id}: attempts are numbered {string.Join(",", status.Attempts.Select(attempt => attempt.Number))}.");
        Expect(status.Attempts.Zip(status.Attempts.Skip(1)).All(pair => pair.First.Token < pair.Second.Token), $"{id}: tokens do not grow.");
        foreach (var attempt in status.Attempts)
        {
            var lease = attempt.EndedAt!.Value.ToUnixTimeMilliseconds() - attempt.PlacedAt.ToUnixTimeMilliseconds();
            Expect(attempt.Ledger!.LeaseMs == lease, $"{id}: attempt {attempt.Number} held its lease for {lease} ms, its ledger says {attempt.Ledger}.");
        }

        if (status.State != JobState.Succeeded || spec.Array is not null)
        {
            return;
        }

        Expect(status.Attempts.Count(attempt => attempt.Outcome == "succeeded") == 1, $"{id}: not exactly one attempt succeeded.");
        var last = status.Attempts[^1];
        if (spec.Kind == JobKinds.Exec)
        {
            Expect(status.Result!.Key == ObjectKeys.JobOutput(id, last.Token), $"{id}: the result {status.Result.Key} is not that of the last attempt.");
            using var output = new StreamReader(await platform.Storage.OpenReadAsync(status.Result.Key + "attempt", null, cancellationToken));
            var attempt = (await output.ReadToEndAsync(cancellationToken)).Trim();
            Expect(attempt == last.Number.ToString(), $"{id}: the result of attempt {last.Number} was written by attempt {attempt}.");
            return;
        }

        Expect(status.Result!.Key == ObjectKeys.JobResults(id, last.Token), $"{id}: the result {status.Result.Key} is not that of the last attempt.");
        using var results = new StreamReader(await platform.Storage.OpenReadAsync(status.Result.Key, null, cancellationToken));
        var indexes = (await results.ReadToEndAsync(cancellationToken)).Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => JsonDocument.Parse(line).RootElement.GetProperty("index").GetInt32());
        Expect(indexes.SequenceEqual(Enumerable.Range(0, spec.Prompts!.Count)), $"{id}: the results are not one line per item in order.");
    }

    /// <summary>Every index that the array has opened is a job that ended once, and together they are what the array says of them.</summary>
    private async Task CheckIndexesAsync(JobSpec spec, CancellationToken cancellationToken)
    {
        if (_ends.TryGetValue(spec.Id!, out var parent) && parent.Array is null)
        {
            Expect(parent.State == JobState.Cancelled, $"{spec.Id}: {parent.State} without any index.");
            return;
        }

        JobArrayStatus? array = null;
        await platform.UntilAsync($"every index of {spec.Id} has told its end", Limit, async () =>
            (array = (await platform.GetAsync(spec.Id!, cancellationToken))?.Array) is not null && array.Succeeded + array.Failed + array.Cancelled == array.Submitted, cancellationToken);
        var states = new List<JobState>();
        for (var index = 0; index < array!.Submitted; index++)
        {
            var id = JobSpecValidation.ChildId(spec.Id!, index);
            if (_cancelled.Contains(spec.Id!))
            {
                _cancelled.Add(id);
            }

            await CheckEndAsync(spec with { Id = id, Array = null }, cancellationToken);
            states.Add(_ends.TryGetValue(id, out var end) ? end.State : JobState.Queued);
        }

        var (succeeded, cancelled) = (states.Count(state => state == JobState.Succeeded), states.Count(state => state == JobState.Cancelled));
        Expect((succeeded, cancelled) == (array.Succeeded, array.Cancelled), $"{spec.Id}: says {array}; its indexes ended as {string.Join(", ", states)}.");
    }

    /// <summary>Attempts that count: not those that a stopping node handed back.</summary>
    private static int Used(JobStatus status) => status.Attempts.Count(attempt => attempt.Outcome != "returned");

    private void Expect(bool good, string violation)
    {
        if (!good)
        {
            lock (_lock)
            {
                _violations.Add($"seed {seed}: {violation}");
            }
        }
    }
}
