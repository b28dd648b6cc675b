using IsolatedSample;
using Microsoft.Azure.Functions.Worker;
using Microsoft.Azure.Functions.Worker.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

if (Environment.GetEnvironmentVariable("BEGIN_AS_BEFORE") == "true")
{
    OlderProgram.Run();
    return;
}

var builder = FunctionsApplication.CreateBuilder(args);

builder.ConfigureFunctionsWebApplication();

builder.Services
    .AddHttpClient()
    .AddSingleton<IGreeter, Greeter>();

builder.Build().Run();
