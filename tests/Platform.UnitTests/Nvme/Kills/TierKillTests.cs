using System.Collections.Concurrent;
using System.Globalization;
using Platform.DataPlane.Nvme.Io;

namespace Platform.UnitTests.Nvme.Kills;

/// <summary>Kills a process that works a tier, with SIGKILL, opens what it left and compares it with what it said; again and again on the same folder.</summary>
/// <remarks>
/// Every point that <see cref="FaultArea"/> declares, and no other has a name, is one to die at; lives like these pass all of them.
/// In every fourth life the device fails at the point, and in that area from there on, and the process dies up to eight points later.
/// Another fourth ends at no point but after a random time. It has none, so what is killed there is the product's own way through the kernel's ring. <c>PLATFORM_CRASH_POINTS=34</c> makes 10,000 kills of 300; <c>PLATFORM_KILL_CHAIN=n</c> runs chain n alone, which replays a failure,
/// and <c>PLATFORM_KILL_CHAIN=n-m</c> a part of the 1,020 chains of 10,000 kills.
/// </remarks>
public sealed class TierKillTests : IDisposable
{
    private const int KillsPerChain = 10;
    private readonly TempFolder _folder = new();
    private readonly ConcurrentDictionary<string, int> _deaths = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, int> _acknowledged = new(StringComparer.Ordinal);

    private static int Chains => 30 * (int.TryParse(Environment.GetEnvironmentVariable("PLATFORM_CRASH_POINTS"), out var scale) ? scale : 1);

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Work_KilledAtAnyInstant_KeepsWhatItAcknowledgedAndNothingElse()
    {
        var points = await FaultPointsAsync();
        var only = Environment.GetEnvironmentVariable("PLATFORM_KILL_CHAIN");
        var chains = only?.Split('-').Select(number => int.Parse(number, CultureInfo.InvariantCulture)).ToArray() is [var first, .. var last]
            ? Enumerable.Range(first, last.LastOrDefault(first) - first + 1).ToArray()
            : [.. Enumerable.Range(0, Chains)];
        var failures = new ConcurrentQueue<string>();

        await Parallel.ForEachAsync(chains, new ParallelOptions { MaxDegreeOfParallelism = Environment.ProcessorCount + 1, CancellationToken = TestContext.Current.CancellationToken }, async (chain, token) =>
        {
            if (failures.IsEmpty && await RunChainAsync(chain, points, token) is { } failure)
            {
                failures.Enqueue(failure);
            }
        });

        // Points that are passed seldom may have been missed. They get lives of their own, which end at the first passing.
        for (var chain = Chains; only is null && failures.IsEmpty && chain < Chains + 20 && points.Where(point => !_deaths.ContainsKey(point)).ToList() is { Count: > 0 } missed; chain++)
        {
            if (await RunChainAsync(chain, missed, TestContext.Current.CancellationToken) is { } failure)
            {
                failures.Enqueue(failure);
            }
        }

        Assert.True(failures.IsEmpty, string.Join("\n\n", failures));
        TestContext.Current.TestOutputHelper?.WriteLine($"{_deaths.Values.Sum()} kills: {string.Join(", ", _deaths.OrderBy(death => death.Key, StringComparer.Ordinal).Select(death => $"{death.Key} {death.Value}"))}; acknowledged: {string.Join(", ", _acknowledged.Select(verb => $"{verb.Key} {verb.Value}"))}");
        if (only is null)
        {
            Assert.InRange(_deaths.Values.Sum(), chains.Length * KillsPerChain, int.MaxValue);
            Assert.All(points, point => Assert.True(_deaths.ContainsKey(point), $"no life ended at '{point}': the workload does not pass it"));
        }
    }

    private async Task<string?> RunChainAsync(int chain, List<string> points, CancellationToken cancellationToken)
    {
        var folder = _folder[$"chain-{chain}"];
        Directory.CreateDirectory(folder);
        var model = new TierModel(folder);
        for (var kill = 0; kill < KillsPerChain; kill++)
        {
            var number = (chain * KillsPerChain) + kill;
            var random = new Random(number);
            var atRandomTime = number % 4 == 3;
            var point = atRandomTime ? "none" : points[(kill == 0 ? chain : number) % points.Count];

            // Points that a life passes often are hit anywhere in it, those that it passes seldom at all; some are passed in the first life of a folder only.
            var passing = kill == 0 ? 1 : random.Next(2) == 0 ? 1 + random.Next(3) : 1 + random.Next(40);

            // Every fourth life meets a device that fails first, and dies a few points later: what failed half is found half done.
            var toLive = number % 4 == 1 && kill > 0 ? 1 + random.Next(8) : 0;
            var lines = await LiveAsync(folder, number, model.Version, point, passing, toLive, atRandomTime ? random.Next(150) : null, cancellationToken);
            _deaths.AddOrUpdate(lines is [.., var last] && last.StartsWith("die ", StringComparison.Ordinal) ? last[4..] : "random time", 1, (_, count) => count + 1);
            model.Take(lines);
            try
            {
                await model.CheckAsync(cancellationToken);
            }
            catch (Exception cause)
            {
                return $"chain {chain}, kill {kill} (seed {number}, at '{point}', passing {passing}): {cause.Message}\nreplay: PLATFORM_KILL_CHAIN={chain} with --filter-class {typeof(TierKillTests).FullName}\nits last words:\n{string.Join('\n', lines.TakeLast(12))}\n{cause}";
            }
        }

        foreach (var (verb, count) in model.Acknowledged)
        {
            _acknowledged.AddOrUpdate(verb, count, (_, sum) => sum + count);
        }

        Directory.Delete(folder, recursive: true);
        return null;
    }

    /// <summary>Runs one life to its end and gives the lines that it said.</summary>
    private static async Task<string[]> LiveAsync(string folder, int seed, int version, string point, int passing, int toLive, int? afterMilliseconds, CancellationToken cancellationToken)
    {
        using var child = ChildProgram.Start(typeof(TierWorkload), folder, seed.ToString(CultureInfo.InvariantCulture), version.ToString(CultureInfo.InvariantCulture), point, passing.ToString(CultureInfo.InvariantCulture), toLive.ToString(CultureInfo.InvariantCulture));
        var begun = "";
        if (afterMilliseconds is { } delay)
        {
            // Any instant is right, so it does no harm that this one is not exact: it may come after the life has ended by itself.
            begun = await child.StandardOutput.ReadLineAsync(cancellationToken) + "\n";
            await Task.Delay(delay, cancellationToken);
            child.Kill();
        }

        var text = begun + await child.StandardOutput.ReadToEndAsync(cancellationToken);
        await child.WaitForExitAsync(cancellationToken);
        Assert.True(child.ExitCode == 128 + 9, $"seed {seed} at '{point}': the process ended with {child.ExitCode} and was not killed; its last words: {string.Join('\n', text.Split('\n').TakeLast(5))}");
        return [.. text[..(text.LastIndexOf('\n') + 1)].Split('\n', StringSplitOptions.RemoveEmptyEntries)];
    }

    /// <summary>The names of all fault points that lives like these pass, and none of those in the code is missing.</summary>
    private async Task<List<string>> FaultPointsAsync()
    {
        var passed = new ConcurrentDictionary<string, byte>(StringComparer.Ordinal);
        for (var seed = 0; seed < 6; seed++)
        {
            // Twice in one folder, so that a tier that holds something is opened as well.
            var folder = _folder[$"points-{seed / 2}"];
            await using var tier = await TierWorkload.OpenAsync(folder, point => passed.TryAdd(point, 0));
            await new TierWorkload(tier, folder, new Random(seed), _ => { }).RunAsync(seed * 1000);
        }

        Assert.Equal(FaultArea.AllPoints.Order(StringComparer.Ordinal), passed.Keys.Order(StringComparer.Ordinal));
        return [.. passed.Keys.Order(StringComparer.Ordinal)];
    }
}
