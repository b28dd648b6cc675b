namespace Platform.Functions.Hosting;

/// <summary>Binds a parameter beside the trigger to the JSON of the request's body.</summary>
[AttributeUsage(AttributeTargets.Parameter)]
public sealed class FromBodyAttribute : Attribute;
