using Microsoft.Azure.Functions.Worker;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace IsolatedSample;

// The way programs began before FunctionsApplication.CreateBuilder.
public static class OlderProgram
{
    public static void Run()
    {
        var host = new HostBuilder()
            .ConfigureFunctionsWebApplication()
            .ConfigureServices((context, services) =>
            {
                services.AddHttpClient();
                services.AddSingleton<IGreeter, Greeter>();
            })
            .Build();

        host.Run();
    }
}
