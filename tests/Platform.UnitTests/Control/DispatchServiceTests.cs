using System.Collections.Concurrent;
using System.Text.Json;
using Microsoft.Extensions.Logging.Abstractions;
using Platform.Control.Jobs;
using Platform.Dapr;
using Platform.Dapr.Actors;
using Platform.Dapr.Http;
using Platform.Jobs;

namespace Platform.UnitTests.Control;

public sealed class DispatchServiceTests
{
    private static readonly DateTimeOffset Start = new(2030, 1, 1, 0, 0, 0, TimeSpan.Zero);
    private readonly ControlHarness _control = new();

    [Fact]
    public async Task Heartbeats_WithManyJobsThatNoFreeSlotHelps_WakeTheOthersBehindThemToo()
    {
        const int jobs = 500;
        var woken = new ConcurrentDictionary<string, int>();
        var all = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        for (var i = 0; i < jobs; i++)
        {
            _control.Waiting.Add(Job(i), isStuck: true);
        }

        var turns = 0;
        _control.Sidecar.AnswerTurn = (id, method) =>
        {
            if (method == nameof(IJobIndexActor.List))
            {
                return JsonSerializer.Serialize(new JobList([], null), JobsJson.Default.JobList);
            }

            // The turn of a job that still waits for more than a slot; one heartbeat for every sixteen of them.
            _control.Waiting.Add(Job(int.Parse(id)), isStuck: true);
            woken.AddOrUpdate(id, 1, (_, times) => times + 1);
            if (woken.Count == jobs)
            {
                all.TrySetResult();
            }
            else if (Interlocked.Increment(ref turns) % 16 == 0)
            {
                Hear();
            }

            return "null";
        };
        using var service = new DispatchService(
            _control.Nodes, _control.Waiting, new ActorProxyFactory(new SidecarClient(new DaprOptions(), _control.Sidecar)), _control.Time, NullLogger<DispatchService>.Instance);
        Hear();
        await service.StartAsync(TestContext.Current.CancellationToken);

        await all.Task.WaitAsync(TestContext.Current.CancellationToken);

        await service.StopAsync(TestContext.Current.CancellationToken);
        Assert.True(woken["0"] > woken[$"{jobs - 1}"], "What is most urgent is looked at most often.");
    }

    private static WaitingJob Job(int i) => new(0, Start.AddSeconds(i), $"{i}");

    private void Hear() => _control.Hear("worker-0", maxJobs: 4);
}
