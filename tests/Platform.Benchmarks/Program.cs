using Platform.Benchmarks.Dispatch;
using Platform.Benchmarks.Tier;

switch (args)
{
    case ["dispatch", .. var rest]:
        return await DispatchBenchmark.RunAsync(rest);
    case ["tier", .. var rest]:
        return await TierBenchmark.RunAsync(rest);
    default:
        Console.Error.WriteLine("Usage: dotnet run -c Release --project tests/Platform.Benchmarks -- <suite> [--json]\nSuites: dispatch, tier");
        return 64;
}
