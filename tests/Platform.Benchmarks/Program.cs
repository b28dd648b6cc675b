using Platform.Benchmarks.Tier;

switch (args)
{
    case ["tier", .. var rest]:
        return await TierBenchmark.RunAsync(rest);
    default:
        Console.Error.WriteLine("Usage: dotnet run -c Release --project tests/Platform.Benchmarks -- <suite> [--json]\nSuites: tier");
        return 64;
}
