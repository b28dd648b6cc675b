System.Console.WriteLine("Usage: dotnet run -c Release --project tests/Platform.Benchmarks -- <suite> [--json]");
