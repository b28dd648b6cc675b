using System.Collections.Concurrent;
using System.Text.Json;
using Platform.Dapr;
using Platform.Jobs;

namespace Platform.SystemTests.Histories;

/// <summary>One seeded history: jobs submitted more than once, faults thrown in, everything that a client could see recorded and checked.</summary>
internal sealed class History(PlatformUnderTest platform, int seed)
{
    private const int Jobs = 3;
    private const int MaxAttempts = 20;
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(90);
    private readonly Random _random = new(seed);
    private readonly ConcurrentQueue<string> _events = new();
    private readonly ConcurrentDictionary<string, JobStatus> _ends = new();
    private readonly ConcurrentDictionary<string, bool> _acknowledged = new();
    private readonly HashSet<string> _cancelled = [];
    private readonly List<string> _violations = [];
    private readonly Lock _lock = new();

    /// <summary>Runs the history and returns what was wrong with it; empty if nothing was.</summary>
    public async Task<IReadOnlyList<string>> RunAsync(CancellationToken cancellationToken)
    {
        var specs = Enumerable.Range(0, Jobs).Select(SpecOf).ToArray();
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var watchers = specs.Select(spec => WatchAsync(spec.Id!, stop.Token)).ToArray();
        var deliveries = specs.Select(spec => DeliverAsync(spec, _random.Next(1, 4), _random.Next(0, 1500), cancellationToken)).ToArray();

        for (var faults = _random.Next(1, 4); faults > 0; faults--)
        {
            await Task.Delay(_random.Next(100, 1500), cancellationToken);
            await FaultAsync(specs, cancellationToken);
        }

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
        }

        return _violations.Count == 0 ? [] : [.. _violations, .. _events];
    }

    private JobSpec SpecOf(int number) => new()
    {
        Id = $"h{seed}-{number}",
        Kind = JobKinds.BatchInfer,
        Model = PlatformUnderTest.Model,
        Prompts = [.. Enumerable.Range(0, _random.Next(5, 120)).Select(i => $"item {i}")],
        MaxTokens = 32,
        MaxAttempts = MaxAttempts,
    };

    /// <summary>What the queue does: the same message a few times, each time until it is taken.</summary>
    private async Task DeliverAsync(JobSpec spec, int times, int delayMilliseconds, CancellationToken cancellationToken)
    {
        for (var delivery = 0; delivery < times; delivery++)
        {
            await Task.Delay(delayMilliseconds, cancellationToken);
            await platform.UntilAsync($"{spec.Id} is taken", Limit, async () =>
            {
                var answer = await platform.SubmitAsync(spec, cancellationToken);
                Expect(answer.Outcome != SubmitOutcome.Conflict, $"{spec.Id}: the same spec was called a conflict.");
                _acknowledged[spec.Id!] = true;
                await platform.DispatchAsync(spec.Id!, cancellationToken);
                return true;
            }, cancellationToken);
            _events.Enqueue($"{spec.Id} delivered");
        }
    }

    private async Task FaultAsync(JobSpec[] specs, CancellationToken cancellationToken)
    {
        var apps = platform.Apps.Values.ToArray();
        var app = apps[_random.Next(apps.Length)];
        var pause = _random.Next(50, 3500);
        switch (_random.Next(5))
        {
            case 0 or 1:
                _events.Enqueue($"kill {app.AppId} for {pause} ms");
                app.Kill();
                await Task.Delay(pause, cancellationToken);
                app.Start();
                break;
            case 2:
                _events.Enqueue($"pause {app.AppId} for {pause} ms");
                app.Signal("STOP");
                await Task.Delay(pause, cancellationToken);
                app.Signal("CONT");
                break;
            case 3:
                _events.Enqueue($"restart the sidecar of {app.AppId}");
                await platform.RestartSidecarAsync(app.AppId, cancellationToken);
                break;
            case 4:
                var id = specs[_random.Next(specs.Length)].Id!;
                _events.Enqueue($"cancel {id}");
                _cancelled.Add(id);
                await platform.UntilAsync($"{id} takes the cancel", Limit, async () =>
                {
                    await platform.Job(id).InvokeMethodAsync("Cancel", cancellationToken);
                    return true;
                }, cancellationToken);
                break;
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
                await Task.Delay(50, cancellationToken);
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

        Expect(status.Attempts.Count <= MaxAttempts, $"{id}: {status.Attempts.Count} attempts.");
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
        var status = (await platform.GetAsync(id, cancellationToken))!;
        See(id, true, status);
        Expect(status.State == JobState.Succeeded || (status.State == JobState.Cancelled && _cancelled.Contains(id)), $"{id}: ended as {status.State}: {status.Reason}");
        Expect(status.Attempts.Select(attempt => attempt.Number).SequenceEqual(Enumerable.Range(1, status.Attempts.Count)), $"{id}: attempts are numbered {string.Join(",", status.Attempts.Select(attempt => attempt.Number))}.");
        Expect(status.Attempts.Zip(status.Attempts.Skip(1)).All(pair => pair.First.Token < pair.Second.Token), $"{id}: tokens do not grow.");
        foreach (var attempt in status.Attempts)
        {
            var lease = attempt.EndedAt!.Value.ToUnixTimeMilliseconds() - attempt.PlacedAt.ToUnixTimeMilliseconds();
            Expect(attempt.Ledger!.LeaseMs == lease, $"{id}: attempt {attempt.Number} held its lease for {lease} ms, its ledger says {attempt.Ledger}.");
        }

        if (status.State != JobState.Succeeded)
        {
            return;
        }

        Expect(status.Attempts.Count(attempt => attempt.Outcome == "succeeded") == 1, $"{id}: not exactly one attempt succeeded.");
        Expect(status.Result!.Key == ObjectKeys.JobResults(id, status.Attempts[^1].Token), $"{id}: the result {status.Result.Key} is not that of the last attempt.");
        using var results = new StreamReader(await platform.Storage.OpenReadAsync(status.Result.Key, null, cancellationToken));
        var indexes = (await results.ReadToEndAsync(cancellationToken)).Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => JsonDocument.Parse(line).RootElement.GetProperty("index").GetInt32());
        Expect(indexes.SequenceEqual(Enumerable.Range(0, spec.Prompts!.Count)), $"{id}: the results are not one line per item in order.");
    }

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
